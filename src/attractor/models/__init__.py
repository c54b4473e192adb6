"""Networks: a frozen config each, tensors in, tensors out."""

from attractor.models.config import PRESETS, SelyneConfig, preset
from attractor.models.selyne import Encoding, Selyne

__all__ = ["PRESETS", "Encoding", "Selyne", "SelyneConfig", "preset"]
