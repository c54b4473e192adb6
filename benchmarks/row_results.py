"""What was measured of a row's variant: by ``attractor reproduce``, else by an earlier benchmark of its protocol."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from attractor.errors import InputError
from attractor.files import read_json
from attractor.reproduce.inpainting import MASKS
from attractor.reproduce.nodes import MEASURES
from attractor.reproduce.row import Row
from attractor.tasks.graphs.evaluate import PUBLISHED

Values = dict[str, Any]
Reader = Callable[[Values, Row, str], dict[str, Values]]


class Found(NamedTuple):
    """Figures by measure as :func:`attractor.reproduce.summary.summarise` has them, and what wrote them where."""

    figures: dict[str, Values]
    file: str
    command: str


NOTHING = Found({}, "", "")


def found(row: Row, variant: str, results: Path) -> Found:
    """What is known of the variant; nothing where it has not been run."""
    readers = {f"{row.name}.json": _reproduced, **_earlier(row, variant)}
    for path, reader in ((results / name, reader) for name, reader in readers.items()):
        values = read_json(path) if path.exists() else {}
        if figures := values and reader(values, row, variant):
            return Found(figures, path.name, values["command"])
    return NOTHING


def _earlier(row: Row, variant: str) -> dict[str, Reader]:
    """The files of earlier benchmarks that may hold the variant."""
    if row.of(variant).get("protocol") == PUBLISHED:
        return {"graphs-published.json": _graphs_included}
    if row.kind == "inpainting":
        return {f"inpaint-{row.data}.json": _inpainting}
    readers: dict[str, Reader] = {"nodes": _nodes, "graphs": _graphs}
    return {f"{row.kind}-{row.data}.json": readers[row.kind]} if row.kind in readers else {}


def _reproduced(values: Values, row: Row, variant: str) -> dict[str, Values]:
    if values["variants"].get(variant, row.of(variant)) != row.of(variant):
        raise InputError(f"results of {row.name}: {variant} has other settings than the row; run it again")
    return values["summary"].get(variant, {})


def _nodes(values: Values, row: Row, variant: str) -> dict[str, Values]:
    mine = values["summary"][str(row.of(variant)["train_fraction"])]["attractor"]
    return {name: _spread(mine[name], mine["seeds"], 1) for name in MEASURES}


def _graphs(values: Values, *_: Any) -> dict[str, Values]:
    mine = values["summary"]["attractor"]
    return {"accuracy": _spread(mine["accuracy"], [values["seed"]], len(mine["folds"]))}


def _graphs_included(values: Values, row: Row, _: str) -> dict[str, Values]:
    mine = values["sets"].get(row.data)
    return {"accuracy": _spread(mine["accuracy"], [mine["seed"]], mine["folds"])} if mine else {}


def _inpainting(values: Values, *_: Any) -> dict[str, Values]:
    masks = {name: values["masks"][mask or "random"]["all"]["attractor"] for name, mask in MASKS.items()}
    return {f"psnr, {name}": _spread(mine["psnr"], [values["seed"]], 1) for name, mine in masks.items()}


def _spread(value: Values, seeds: list[int], parts: int) -> Values:
    """A spread over one is none."""
    std = value.get("std") if max(len(seeds), parts) > 1 else None
    cv = None if std is None else 100 * std / value["mean"]
    return {"mean": value["mean"], "std": std, "cv_percent": cv, "seeds": seeds, "parts": parts}
