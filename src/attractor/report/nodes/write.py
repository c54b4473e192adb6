"""One folder that holds explained nodes, each as a picture and in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from attractor.console import progress
from attractor.files import write_json
from attractor.report.nodes.figure import draw_explanation
from attractor.report.style import save_figure
from attractor.tasks.nodes.explanation import NodeExplanation


def write_explanations(explanations: Sequence[NodeExplanation], folder: str | Path) -> list[Path]:
    """Write ``node-N.png``, ``.pdf`` and ``.json`` of every node; return the paths of the PNGs."""
    written = []
    for explanation in progress(explanations, "drawing", total=len(explanations)):
        name = f"node-{explanation.node}"
        write_json(Path(folder) / f"{name}.json", asdict(explanation))
        written.append(save_figure(draw_explanation(explanation), Path(folder), name))
    return written
