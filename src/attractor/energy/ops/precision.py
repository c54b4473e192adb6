"""What is summed is summed in float32 or better, whatever it is stored in."""

from __future__ import annotations

import torch
from torch import Tensor


def summed_in(dtype: torch.dtype) -> torch.dtype:
    """float32, or ``dtype`` where that is more precise."""
    return torch.promote_types(dtype, torch.float32)


def at_least_float32(t: Tensor) -> Tensor:
    """``t`` in float32, or as it is when that is more precise: what energies are summed in."""
    return t.to(summed_in(t.dtype))
