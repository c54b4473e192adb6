"""Run a row: what is missing of it, one part after another, written after each, so that it can be interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from attractor.console import stderr
from attractor.files import read_json, require_writable, write_json
from attractor.provenance import provenance
from attractor.reproduce.detection import Detection
from attractor.reproduce.earlier import earlier, require_known_parts, require_same_weights
from attractor.reproduce.graphs import GraphClasses
from attractor.reproduce.inpainting import Inpainting
from attractor.reproduce.nodes import NodeAnomalies
from attractor.reproduce.part import Kind, Part
from attractor.reproduce.pretraining import Pretrained
from attractor.reproduce.row import Row
from attractor.reproduce.summary import summarise
from attractor.reproduce.weights import fingerprint, located
from attractor.reproduce.wish import AS_IT_IS, Wish

KINDS: dict[str, type[Kind]] = {
    "detection": Detection,
    "graphs": GraphClasses,
    "inpainting": Inpainting,
    "nodes": NodeAnomalies,
    "pretraining": Pretrained,
}


def reproduce(row: Row, data: Path, output: Path, wish: Wish = AS_IT_IS) -> dict[str, Any]:
    """Run what ``output/NAME.json`` lacks of the row on the set in the folder ``data``, and return what it then holds.

    A row that was run with other settings or weights is not mixed with this one: :class:`InputError`. So are missing
    sets and models.
    """
    wished = wish.upon(row)
    require_writable(output)
    path = output / f"{row.name}.json"
    found = earlier(path, wished)
    variants, runs = {**found.variants, **wished.variants}, [run.model_dump() for run in found.runs]
    kind, ready = KINDS[row.kind](row.data, data, output / row.name), located(wished)
    require_same_weights(path, found, ready, kind)
    done = {(run.variant, run.seed, run.part) for run in found.runs}
    planned = list(parts(kind, ready))
    require_known_parts(path, found, planned)
    for part in planned:
        if (part.variant, part.seed, part.name) not in done:
            run = measured(part, row.main)
            require_same_weights(path, found, ready, kind)  # those that were trained just now
            runs.append({**run, "weights": fingerprint(kind, ready, part.variant, part.seed)})
            write_json(path, describe(row, wish, variants, runs))
    return read_json(path)


def parts(kind: Kind, row: Row) -> Iterator[Part]:
    """Everything that is measured, in order, each once."""
    for variant, settings in row.variants.items():
        for seed in dict.fromkeys(row.seeds):
            for part in kind.parts(settings, seed):
                yield replace(part, variant=variant, seed=seed)


def measured(part: Part, main: str) -> dict[str, Any]:
    """A run as the results file has it."""
    values = {name: value if isfinite(value) else None for name, value in part.measure().items()}
    shown = main if main in values else next(iter(values))
    figure = values[shown]
    stderr.print(f"{part}: {shown} {'not finite' if figure is None else f'{figure:.4f}'}")
    return {
        "variant": part.variant,
        "seed": part.seed,
        "part": part.name,
        "values": values,
        "git_revision": provenance()["git_revision"],
    }


def describe(row: Row, wish: Wish, variants: dict[str, dict[str, Any]], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The results file: ours and the published figures first, then every run."""
    published = {v: {m: f.model_dump(exclude_none=True) for m, f in of.items()} for v, of in row.published.items()}
    order = dict.fromkeys([*row.variants, *variants])
    return {
        "name": row.name,
        "title": row.title,
        "kind": row.kind,
        "data": row.data,
        "main": row.main,
        "caution": row.caution,
        "command": wish.command(row, sorted({run["seed"] for run in runs})),
        "variants": {name: variants[name] for name in order if name in variants},
        "summary": summarise(runs),
        "published": published,
        "source": row.source,
        **provenance(),
        "runs": runs,
    }
