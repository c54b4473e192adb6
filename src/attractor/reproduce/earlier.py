"""What a results file holds already, seen to be one of that row before anything is added to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from attractor.errors import InputError
from attractor.files import read_json
from attractor.reproduce.part import Kind, Part
from attractor.reproduce.row import Row
from attractor.reproduce.weights import fingerprint
from attractor.training.strict import Strict, problem

if TYPE_CHECKING:
    from typing_extensions import Self


class Run(Strict):
    """One part as it was measured; a figure that was not finite is None."""

    variant: str
    seed: int
    part: str
    values: dict[str, float | None] = Field(min_length=1)
    git_revision: str | None
    weights: str | None = None  # unknown in files written before there was one, and taken as they are


class Earlier(BaseModel):
    """The runs of a file, and the settings of the variants they are of."""

    name: str
    variants: dict[str, dict[str, Any]]
    runs: list[Run]

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        seen = set()
        for run in self.runs:
            key = (run.variant, run.seed, run.part)
            if run.variant not in self.variants:
                raise InputError(f"runs: {run.variant!r} is none of the variants")
            if key in seen:
                raise InputError(f"runs: {run.part!r} of {run.variant!r} with seed {run.seed} is there twice")
            seen.add(key)
        return self


def earlier(path: Path, row: Row) -> Earlier:
    """What ``path`` holds; :class:`InputError` where that is no result of the row, or one with other settings."""
    if not path.exists():
        return Earlier(name=row.name, variants={}, runs=[])
    values = read_json(path)
    try:
        found = Earlier.model_validate(values)
    except ValidationError as error:
        raise _refused(path, f"is no result of {row.name} ({problem(error, Earlier)})") from None
    if found.name != row.name:
        raise _refused(path, f"is a result of {found.name}, not of {row.name}")
    if other := [name for name in row.variants if found.variants.get(name, row.variants[name]) != row.variants[name]]:
        raise _refused(path, f"holds {other[0]!r} with other settings")
    return found


def require_known_parts(path: Path, found: Earlier, parts: Iterable[Part]) -> None:
    """Raise :class:`InputError` where ``path`` holds a part that is none of its variant's."""
    names: dict[str, set[str]] = {}
    for part in parts:
        names.setdefault(part.variant, set()).add(part.name)
    for run in found.runs:
        if run.part not in names.get(run.variant, {run.part}):
            raise _refused(path, f"holds {run.part!r} of {run.variant!r}, which is no part of it")


def require_same_weights(path: Path, found: Earlier, row: Row, kind: Kind) -> None:
    """Raise :class:`InputError` where ``path`` holds runs of the row with other weights than its models have now."""
    for variant, seed, known in dict.fromkeys((run.variant, run.seed, run.weights) for run in found.runs):
        if not known or variant not in row.variants:
            continue
        if kind.weights(row.of(variant), seed) is None:
            raise _refused(path, f"holds {variant!r} with weights ({known}), of which it has none")
        now = fingerprint(kind, row, variant, seed)
        if now and now != known:
            raise _refused(path, f"holds {variant!r} with other weights ({known}, and now {now})")


def _refused(path: Path, why: str) -> InputError:
    return InputError(f"{path} {why}; choose another --output, or move the file away")
