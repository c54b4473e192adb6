"""Whether numbers are computed here and now, so that another way to the same ones may be taken."""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack


def is_eager(x: Tensor) -> bool:
    """False while torch compiles, exports, traces, transforms or watches functions of ``x``, by its own operations.

    A dispatch mode that watches, such as one that counts operations, could not see into ours.
    """
    traced = torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch.jit.is_tracing()
    watched = traced or torch._C._len_torch_dispatch_stack() > 0
    return not watched and not torch._C._functorch.is_functorch_wrapped_tensor(x)


def is_counted() -> bool:
    """Whether torch's ``FlopCounterMode`` looks on, which knows no operators of ours; its module imports much."""
    module = sys.modules.get("torch.utils.flop_counter")
    if module is None or torch.compiler.is_compiling():
        return False
    return any(isinstance(mode, module._FlopCounterMode) for mode in _get_current_dispatch_mode_stack())


def is_float32(*tensors: Tensor) -> bool:
    """Whether all of them are plain numbers in float32 on a CPU, that nobody watches or wants in another precision."""
    return not torch.is_autocast_enabled("cpu") and all(
        is_eager(t) and t.device.type == "cpu" and t.dtype == torch.float32 and type(t) in (Tensor, nn.Parameter)
        for t in tensors
    )
