"""Run a row: what is missing of it, one part after another, written after each, so that it can be interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attractor.console import stderr
from attractor.errors import InputError
from attractor.files import read_json, require_writable, write_json
from attractor.provenance import provenance
from attractor.reproduce.detection import Detection
from attractor.reproduce.graphs import GraphClasses
from attractor.reproduce.inpainting import Inpainting
from attractor.reproduce.nodes import NodeAnomalies
from attractor.reproduce.part import Kind
from attractor.reproduce.pretraining import Pretrained
from attractor.reproduce.row import Row
from attractor.reproduce.summary import summarise

KINDS: dict[str, type[Kind]] = {
    "detection": Detection,
    "graphs": GraphClasses,
    "inpainting": Inpainting,
    "nodes": NodeAnomalies,
    "pretraining": Pretrained,
}


@dataclass(frozen=True)
class Wish:
    """What the user wants otherwise than the row says: ``seeds``, ``variants``, ``settings`` over all others."""

    seeds: list[int] | None = None
    variants: list[str] | None = None
    settings: dict[str, Any] | None = None

    def upon(self, row: Row) -> Row:
        """The row as wished; unknown variants raise :class:`InputError`."""
        variants = {name: {**row.of(name), **(self.settings or {})} for name in self.variants or row.variants}
        return row.model_copy(update={"seeds": self.seeds or row.seeds, "variants": variants})


def reproduce(row: Row, data: Path, output: Path, wish: Wish = Wish()) -> dict[str, Any]:
    """Run what ``output/NAME.json`` lacks of the row on the set in the folder ``data``, and return what it then holds.

    A row that was run with other settings is not mixed with this one: :class:`InputError`. So are missing sets.
    """
    wished = wish.upon(row)
    require_writable(output)
    path = output / f"{row.name}.json"
    runs = _earlier(path, wished)
    kind = KINDS[row.kind](row.data, data, output / row.name)
    for part in parts(kind, wished):
        key = {"variant": part.variant, "seed": part.seed, "part": part.name}
        if any(all(run[name] == value for name, value in key.items()) for run in runs):
            continue
        values = part.measure()
        stderr.print(f"{part}: {row.main} {values[row.main]:.4f}" if row.main in values else str(part))
        runs.append({**key, "values": values, "git_revision": provenance()["git_revision"]})
        write_json(path, describe(wished, runs))
    return read_json(path)


def parts(kind: Kind, row: Row) -> Iterator[Any]:
    """Everything that is measured, in order."""
    for variant, settings in row.variants.items():
        for seed in row.seeds:
            for part in kind.parts(settings, seed):
                yield replace(part, variant=variant, seed=seed)


def _earlier(path: Path, row: Row) -> list[dict[str, Any]]:
    """The runs that a file holds already."""
    if not path.exists():
        return []
    found = read_json(path)
    for name, settings in row.variants.items():
        if name in found["variants"] and found["variants"][name] != settings:
            raise InputError(f"{path} holds {name} with other settings; choose another --output, or remove the file")
    return found["runs"]


def describe(row: Row, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The results file: ours and the published figures first, then every run."""
    published = {v: {m: f.model_dump(exclude_none=True) for m, f in of.items()} for v, of in row.published.items()}
    return {
        "name": row.name,
        "title": row.title,
        "kind": row.kind,
        "data": row.data,
        "main": row.main,
        "caution": row.caution,
        "command": f"attractor reproduce {row.name} --data DIR",
        "variants": row.variants,
        "summary": summarise(runs),
        "published": published,
        "source": row.source,
        **provenance(),
        "runs": runs,
    }
