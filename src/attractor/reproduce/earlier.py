"""What a results file holds already, seen to be one of that row before anything is added to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from attractor.errors import InputError
from attractor.files import read_json
from attractor.reproduce.part import Kind
from attractor.reproduce.row import Row
from attractor.reproduce.weights import fingerprint
from attractor.training.recipe import Strict


class Run(Strict):
    """One part as it was measured; a figure that was not finite is None."""

    variant: str
    seed: int
    part: str
    values: dict[str, float | None]
    git_revision: str | None
    weights: str | None = None  # unknown in files written before there was one, and taken as they are


class Earlier(BaseModel):
    """The runs of a file, and the settings of the variants they are of."""

    name: str
    variants: dict[str, dict[str, Any]]
    runs: list[Run]


def earlier(path: Path, row: Row) -> Earlier:
    """What ``path`` holds; :class:`InputError` where that is no result of the row, or one with other settings."""
    if not path.exists():
        return Earlier(name=row.name, variants={}, runs=[])
    values = read_json(path)
    try:
        found = Earlier.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise _refused(path, f"is no result of {row.name} ({where}: {first['msg']})") from None
    if found.name != row.name:
        raise _refused(path, f"is a result of {found.name}, not of {row.name}")
    if other := [name for name in row.variants if found.variants.get(name, row.variants[name]) != row.variants[name]]:
        raise _refused(path, f"holds {other[0]!r} with other settings")
    return found


def require_same_weights(path: Path, found: Earlier, row: Row, kind: Kind) -> None:
    """Raise :class:`InputError` where ``path`` holds runs of the row with other weights than its models have now."""
    for variant, seed, known in dict.fromkeys((run.variant, run.seed, run.weights) for run in found.runs):
        now = fingerprint(kind, row, variant, seed) if known and variant in row.variants else None
        if now and now != known:
            raise _refused(path, f"holds {variant!r} with other weights ({known}, and now {now})")


def _refused(path: Path, why: str) -> InputError:
    return InputError(f"{path} {why}; choose another --output, or move the file away")
