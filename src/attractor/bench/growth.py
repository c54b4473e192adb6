"""How time and memory grow with tokens, steps, batch and images, as results/bench-growth.json."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attractor.bench import inputs
from attractor.bench.run import Say, Side, precisions

ET = {"dim": 128, "heads": 4, "head_dim": 32, "memories": 512, "step_size": 0.1}
SELYNE = {"image": 64, "batch": 32}
SERIES: dict[str, tuple[str, dict[str, Any], list[int]]] = {
    "tokens": ("image_et", {**ET, "steps": 4, "batch": 1}, [64, 256, 1024, 4096, 16384]),
    "steps": ("image_et", {**ET, "tokens": 256, "batch": 8}, [1, 4, 16, 64]),
    "batch": ("image_et", {**ET, "tokens": 256, "steps": 4}, [1, 4, 16, 64]),
    "images": ("folder", SELYNE, [32, 128, 512]),
}


def measure_growth(*, turns: int, seed: int, device: str, say: Say) -> dict[str, Any]:
    """Time and memory of every pass along each series, ours alone, every size in a process of its own."""
    report: dict[str, Any] = {"title": "Cost against size", "turns": turns, "series": {}}
    ours = precisions(device, say)
    with TemporaryDirectory() as folder:
        file = str(inputs.photographs(Path(folder), seed))
        for name, (side, spec, sizes) in SERIES.items():
            rows = []
            for size in sizes:
                asked = {**_sized(spec, name, size), "file": file, "seed": seed, "device": device}
                for precision in ours:
                    say(f"{name}: {size}, {precision}")
                    rows += [{name: size, **row} for row in _figures(side, {**asked, "precision": precision}, turns)]
            report["series"][name] = {"spec": spec, "rows": rows}
    return report


def _sized(spec: dict[str, Any], name: str, size: int) -> dict[str, Any]:
    sized = {**spec, name: size}
    if "tokens" in sized:
        sized["batch"] = {"forward": sized["batch"], "train": sized["batch"]}
    return sized


def _figures(side: str, spec: dict[str, Any], turns: int) -> list[dict[str, Any]]:
    with Side(side, side, spec) as running:
        taken = {work: [running(work) for _ in range(turns)] for work in running.ready["operations"]}
    return [
        {
            "pass": work,
            "precision": spec["precision"],
            "ms": 1e3 * statistics.median(t["seconds"] for t in figures),
            "peak_mb": max(t["peak_mb"] for t in figures),
        }
        for work, figures in taken.items()
    ]
