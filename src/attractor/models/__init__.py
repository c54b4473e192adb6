"""Networks: a frozen config each, tensors in, tensors out."""

from attractor.models.config import PRESETS, GraphETConfig, ImageETConfig, NodeETConfig, SelyneConfig, preset
from attractor.models.graph_batch import GraphBatch
from attractor.models.graph_et import GraphET
from attractor.models.image_et import ImageET
from attractor.models.node_et import NodeET
from attractor.models.selyne import Encoding, Selyne

__all__ = [
    "PRESETS",
    "Encoding",
    "GraphBatch",
    "GraphET",
    "GraphETConfig",
    "ImageET",
    "ImageETConfig",
    "NodeET",
    "NodeETConfig",
    "Selyne",
    "SelyneConfig",
    "preset",
]
