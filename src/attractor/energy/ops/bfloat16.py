"""bfloat16 inside compiled loops, which know no such type: its bits are the upper half of a float32's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import types
from numba.extending import overload
from numpy.typing import NDArray
from torch import Tensor


def array(t: Tensor) -> NDArray[Any]:
    """The tensor's memory for a compiled loop: int16 where it is bfloat16."""
    if t.dtype == torch.bfloat16:
        t = t.detach().resolve_neg().view(torch.int16)
    return t.numpy(force=True)  # detached, in one call


def widened(a: Any) -> Any:
    """In a compiled loop: a number of an :func:`array` of floats, bfloat16 as float32."""
    raise NotImplementedError


def rounded(a: Any, out: Any) -> Any:
    """In a compiled loop: ``a`` as the array ``out`` holds numbers, to the nearest bfloat16, halves to the even one."""
    raise NotImplementedError


@overload(widened)
def _(a):
    if isinstance(a, types.Integer):
        return lambda a: np.int32(np.int32(a) << 16).view(np.float32)
    return lambda a: a


@overload(rounded)
def _(a, out):
    def to_bfloat16(a, out):
        if a != a:  # rounding up could make an infinity of a NaN
            return np.int16(0x7FC0)
        bits = np.float32(a).view(np.uint32)
        return np.int16(np.uint32(bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)

    return to_bfloat16 if isinstance(out.dtype, types.Integer) else lambda a, out: a
