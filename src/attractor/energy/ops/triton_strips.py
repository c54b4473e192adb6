"""Alignment on a GPU in linear memory: the two operators of :mod:`strips` on tiles that never leave the chip."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

Parts = tuple[Tensor, Tensor, Tensor]

TYPES = (torch.float32, torch.bfloat16, torch.float16)  # what is more precise is for strips
OLDEST = (8, 0)  # compute capability: from here on there is bfloat16, and loads that overlap with products
NARROWEST, WIDEST = 16, 256  # columns of a tile: the least a tensor core multiplies, and what its registers hold
STAGES = 2  # tiles in flight: one is worked on while the next is loaded

# Bytes a number and columns of a tile -> rows a program owns, rows it takes in at a time and its warps, forward and
# backward. Among those that fill the tensor cores (64 rows are four warps' worth) each is the largest whose sums, as
# ptxas counts them for compute capability 9.0, stay in registers and whose tiles fit 99 KB of shared memory, which
# every card has: large, since each program reads the other side once. Products of float32 without TF32 run on the
# plain cores from registers and want them small; at 256 columns the backward pass spills some yet. Fixed and not
# tuned at run time: how sums are cut decides their last digits, and they shall be the same on every run.
Tiling = tuple[int, int, int]
TILINGS: dict[tuple[int, int], tuple[Tiling, Tiling]] = {
    (2, 64): ((128, 64, 8), (64, 64, 4)),
    (2, 128): ((128, 64, 8), (64, 32, 8)),
    (2, 256): ((64, 32, 8), (32, 32, 8)),
    (4, 64): ((64, 32, 8), (32, 32, 8)),
    (4, 128): ((32, 32, 8), (16, 16, 8)),
    (4, 256): ((32, 16, 8), (16, 16, 8)),
}


def installed() -> bool:
    """Whether there is a triton for CUDA to import; does not import it."""
    return importlib.util.find_spec("triton") is not None and torch.version.hip is None


def takes(q: Tensor) -> bool:
    """Whether the kernels are for such ``q (G, N, Y)`` on such a device; all else is for strips."""
    fits = q.dtype in TYPES and 0 < q.shape[-1] <= WIDEST and q.numel() > 0
    return fits and (not q.is_cuda or _ready(q.device))


def align(q: Tensor, k: Tensor, v: Tensor, absent: Tensor | None, include_self: bool) -> Parts:
    """Row log-sum-exps of ``S = q k^T``, ``P k`` and ``P^T v``; ``q, k, v (G, N, Y)``, ``absent (G, N)`` keys."""
    from attractor.energy.ops import triton_kernels as kernels

    q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    lse, mix, pull = _numbers(q), torch.empty_like(q), torch.empty_like(q)
    hidden, launch = _bytes(absent), _launcher(q, absent, include_self, backward=False)
    launch(kernels.row_forward, q, k, hidden, lse, mix)
    launch(kernels.key_forward, q, k, v, hidden, lse, pull)
    return lse, mix, pull


def gradient(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    absent: Tensor | None,
    include_self: bool,
    lse: Tensor,
    mix: Tensor,
    dlse: Tensor,
    dmix: Tensor,
    dpull: Tensor,
) -> Parts:
    r"""``dq``, ``dk`` and ``dv`` as in :mod:`strips`; ``dq`` and ``dv`` take one sweep over the keys, since::

    dq_C = sum_B P (dP - r + dlse) k                    -r + dlse = rest - v . dv,   rest = dlse - dmix . mix
         = sum_B P (dP + rest - c) k - (v . dv - c) mix      for any c; v . (mean of dpull) is near v . dv
    """
    from attractor.energy.ops import triton_kernels as kernels

    q, k, v, mix = q.contiguous(), k.contiguous(), v.contiguous(), mix.contiguous()
    lse, dlse, dmix, dpull = lse.contiguous(), dlse.contiguous(), dmix.contiguous(), dpull.contiguous()
    dq, dk, dv, shift = torch.empty_like(q), torch.empty_like(q), torch.empty_like(q), _numbers(q)
    hidden, launch = _bytes(absent), _launcher(q, absent, include_self, backward=True)
    middle = dpull.mean(dim=1, dtype=torch.float32)
    launch(kernels.row_backward, q, k, v, hidden, lse, mix, dlse, dmix, dpull, middle, dq, dv, shift)
    launch(kernels.key_backward, q, k, v, hidden, lse, shift, dmix, dpull, dk)
    return dq, dk, dv


def _launcher(q: Tensor, absent: Tensor | None, include_self: bool, backward: bool) -> Callable[..., None]:
    """What calls a kernel on tensors with all that the kernels have in common: a program for each block of rows."""
    groups, n, y = q.shape
    width = max(NARROWEST, 1 << (y - 1).bit_length())
    own, other, warps = TILINGS[q.element_size(), max(64, width)][backward]
    common = {"N": n, "Y": y, "D": width, "MASKED": absent is not None, "INCLUDE_SELF": include_self}
    tiles = {"PRECISION": _precision(), "OWN": own, "OTHER": other}
    options = {"num_warps": warps, "num_stages": STAGES, "enable_fp_fusion": True}

    def launch(kernel: Any, *tensors: Tensor | None) -> None:
        with torch.cuda.device_of(q):
            kernel[(groups * -(-n // own),)](*tensors, **common, **tiles, **options)

    return launch


def _numbers(q: Tensor) -> Tensor:
    """Room for a float32 of every row."""
    return q.new_empty(q.shape[:2], dtype=torch.float32)


def _bytes(absent: Tensor | None) -> Tensor | None:
    return None if absent is None else absent.contiguous().view(torch.uint8)


def _precision() -> str:
    """How float32 is multiplied: as torch is told to multiply it."""
    return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "ieee"


@cache
def _ready(device: torch.device) -> bool:
    """Whether kernels run on a GPU; triton also needs a C compiler and Python's headers, which not every system has."""
    if torch.cuda.get_device_capability(device) < OLDEST:
        return False
    try:
        from triton.runtime import driver

        driver.active.get_current_device()  # compiles what launches kernels
    except Exception as error:  # whatever is missing, strips do without it
        warnings.warn(f"attention runs slower than it could, since triton does not run: {error}", stacklevel=2)
        return False
    return True
