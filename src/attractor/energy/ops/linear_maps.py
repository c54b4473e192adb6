"""Linear maps in float32 by the faster of torch's two libraries on x86 processors with AVX-512."""

from __future__ import annotations

import platform
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.energy.ops.eager import is_eager

SMALL = 2**18  # multiplications that end before it matters who does them


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x W^T + b`` like torch's own, ``(..., K), (M, K) -> (..., M)``, by any derivative.

    In float32 torch's own calls MKL, which on processors of other makers leaves half of an AVX-512 vector unused;
    oneDNN, which torch carries for convolutions and bfloat16, does not. With AVX2 alone MKL is the faster one. See
    benchmarks/LOG.md.
    """
    if _by_onednn(x, weight):
        return _Linear.apply(x, weight, bias)
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """torch's own layer, through :func:`linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """``x W^T + b``."""
        return linear(x, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), (dy,) = ctx.saved_tensors, grads
        rows, drows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        wanted = ctx.needs_input_grad
        return (
            linear(dy, weight.T) if wanted[0] else None,
            linear(drows.T, rows.T) if wanted[1] else None,
            drows.sum(dim=0) if wanted[2] else None,
        )


def _by_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        PAYS
        and is_eager(x, weight)  # before sizes are looked at, which an export keeps free
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and x.ndim > 1
        and x.numel() * weight.shape[0] > SMALL
        and not torch.is_autocast_enabled("cpu")
    )


PAYS = (
    torch.backends.mkldnn.is_available()
    and platform.machine() in ("x86_64", "AMD64")
    and torch.backends.cpu.get_cpu_capability() == "AVX512"
)
