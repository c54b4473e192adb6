"""Whatever lies under a name, as the object it is."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from attractor.files import read_json
from attractor.models.store import MODELS, load_model, model_folder
from attractor.tasks.detection.detector import AnomalyDetector
from attractor.tasks.graphs import GraphAnomalyDetector, GraphClassifier
from attractor.tasks.inpainting.inpainter import Inpainter
from attractor.tasks.nodes.detector import NodeAnomalyDetector

TASKS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (AnomalyDetector, GraphAnomalyDetector, GraphClassifier, Inpainter, NodeAnomalyDetector)
}


def from_pretrained(name: str | PathLike[str]) -> Any:
    """The fitted detector, classifier, in-painter or else the model of that name.

    ``name``: of weights that ship, a folder, or ``org/name`` or ``org/name@revision`` on the Hub. Raises
    :class:`InputError` where there is nothing of that name, or nothing of this release.
    """
    folder = model_folder(str(name))
    task = TASKS.get(kind_of(folder))
    return task.load(folder) if task else load_model(folder)


def kind_of(folder: Path) -> str:
    """Name of the class of what lies there, by its ``config.json``; that of an unknown one is empty."""
    config = read_json(folder / "config.json")
    values: dict[str, Any] = config if isinstance(config, dict) else {}
    if "task" in values:
        return str(values["task"])
    _, network = MODELS.get(str(values.get("kind", "selyne")), (None, None))
    return network.__name__ if network else ""
