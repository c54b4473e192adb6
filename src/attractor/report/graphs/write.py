"""One folder that holds explained graphs: a picture of each, and all numbers in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from attractor.console import progress
from attractor.files import write_json
from attractor.report.graphs.figure import draw_explanation
from attractor.report.style import save_figure
from attractor.tasks.graphs.explanation import GraphExplanation


def write_explanations(explanations: Sequence[GraphExplanation], folder: str | Path) -> list[Path]:
    """Write ``graph-N.png`` and ``.pdf`` of every graph and ``explanations.json``; return the paths of the PNGs."""
    write_json(Path(folder) / "explanations.json", [asdict(explanation) for explanation in explanations])
    return [
        save_figure(draw_explanation(explanation), Path(folder), f"graph-{explanation.graph}")
        for explanation in progress(explanations, "drawing", total=len(explanations))
    ]
