"""Networks: a frozen config each, tensors in, tensors out."""

from attractor.models.config import PRESETS, ImageETConfig, NodeETConfig, SelyneConfig, preset
from attractor.models.image_et import ImageET
from attractor.models.node_et import NodeET
from attractor.models.selyne import Encoding, Selyne

__all__ = [
    "PRESETS",
    "Encoding",
    "ImageET",
    "ImageETConfig",
    "NodeET",
    "NodeETConfig",
    "Selyne",
    "SelyneConfig",
    "preset",
]
