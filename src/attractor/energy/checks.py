"""Numbers and types that a caller gives: what is not of the right kind or size is refused."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from attractor.errors import InputError


def is_number(value: Any, kind: type = Real) -> bool:
    """Whether this is a number of a kind, ``Integral`` where it is to be whole; numpy's are too."""
    return isinstance(value, kind)


def require_positive(**settings: float) -> None:
    """Raise :class:`InputError` naming the first setting that is not a number above 0."""
    for name, value in settings.items():
        if not is_number(value) or not 0 < value < math.inf:
            raise InputError(f"{name} must be above 0, not {value!r}")


def require_sizes(**sizes: int) -> None:
    """Raise :class:`InputError` naming the first size that is not a whole number above 0."""
    require_positive(**sizes)
    for name, value in sizes.items():
        if not is_number(value, Integral):
            raise InputError(f"{name} must be a whole number, not {value!r}")


def require_same_dtype(x: Tensor, weight: Tensor) -> None:
    """Raise :class:`InputError` where they are of two types and autocast, which leaves float64, does not join them."""
    if x.dtype == weight.dtype:
        return
    if torch.float64 in (x.dtype, weight.dtype) or not torch.is_autocast_enabled(x.device.type):
        raise InputError(f"tokens are {x.dtype}, weights {weight.dtype}; give both one, as by x.to({weight.dtype})")
