"""Energy-based transformers that work."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from attractor.errors import InputError

if TYPE_CHECKING:
    from attractor.dynamics import descend
    from attractor.energy import GloebaAttention
    from attractor.models import (
        GraphET,
        GraphETConfig,
        ImageET,
        ImageETConfig,
        NodeET,
        NodeETConfig,
        Selyne,
        SelyneConfig,
    )
    from attractor.models.store import save_model
    from attractor.tasks import (
        AnomalyDetector,
        GraphAnomalyDetector,
        GraphClassifier,
        Inpainter,
        NodeAnomalyDetector,
        evaluate_images,
    )
    from attractor.tasks.exporting import export_onnx
    from attractor.tasks.pretrained import from_pretrained
    from attractor.tasks.publishing import push_to_hub

__version__ = "0.1.0"
__all__ = [
    "AnomalyDetector",
    "GloebaAttention",
    "GraphAnomalyDetector",
    "GraphClassifier",
    "GraphET",
    "GraphETConfig",
    "ImageET",
    "ImageETConfig",
    "Inpainter",
    "InputError",
    "NodeAnomalyDetector",
    "NodeET",
    "NodeETConfig",
    "Selyne",
    "SelyneConfig",
    "descend",
    "evaluate_images",
    "export_onnx",
    "from_pretrained",
    "push_to_hub",
    "save_model",
]

_HOMES = {
    "AnomalyDetector": "attractor.tasks",
    "GloebaAttention": "attractor.energy",
    "GraphAnomalyDetector": "attractor.tasks",
    "GraphClassifier": "attractor.tasks",
    "GraphET": "attractor.models",
    "GraphETConfig": "attractor.models",
    "ImageET": "attractor.models",
    "ImageETConfig": "attractor.models",
    "Inpainter": "attractor.tasks",
    "NodeAnomalyDetector": "attractor.tasks",
    "NodeET": "attractor.models",
    "NodeETConfig": "attractor.models",
    "Selyne": "attractor.models",
    "SelyneConfig": "attractor.models",
    "descend": "attractor.dynamics",
    "evaluate_images": "attractor.tasks",
    "export_onnx": "attractor.tasks.exporting",
    "from_pretrained": "attractor.tasks.pretrained",
    "push_to_hub": "attractor.tasks.publishing",
    "save_model": "attractor.models.store",
}


def __getattr__(name: str) -> Any:  # loaded when first asked for: the command's help must not wait for torch
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'attractor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
