"""Networks: a frozen config each, tensors in, tensors out."""

from attractor.models.config import PRESETS, ImageETConfig, SelyneConfig, preset
from attractor.models.image_et import ImageET
from attractor.models.selyne import Encoding, Selyne

__all__ = ["PRESETS", "Encoding", "ImageET", "ImageETConfig", "Selyne", "SelyneConfig", "preset"]
