"""The one check every score on features makes."""

from __future__ import annotations

import torch
from torch import Tensor

from attractor.errors import InputError


def check_features(features: Tensor, dim: int | None = None) -> None:
    """Refuse features that are not finite ``(n, dim)``; any width will do when ``dim`` is ``None``."""
    if features.ndim != 2 or dim not in (None, features.shape[1]):
        wanted = f"(n, {dim or 'd'})"
        raise InputError(f"features have shape {tuple(features.shape)}, not {wanted}: use the encoder of the fit")
    bad = (~torch.isfinite(features)).any(1).nonzero().flatten()
    if len(bad):
        raise InputError(
            f"{len(bad)} of {len(features)} feature rows hold NaN or infinity, first row {int(bad[0])}: "
            "leave those images out or check the encoder's weights"
        )
