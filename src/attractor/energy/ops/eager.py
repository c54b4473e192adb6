"""Whether numbers are computed here and now, so that another way to the same ones may be taken."""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack


def is_eager(*operands: Tensor) -> bool:
    """False while torch compiles, exports, traces, transforms or watches functions of these, by its own operations.

    A dispatch mode that watches, such as one that counts operations, could not see into ours.
    """
    traced = torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch.jit.is_tracing()
    watched = traced or torch._C._len_torch_dispatch_stack() > 0
    return not watched and not is_transformed(*operands)


def is_transformed(*operands: Tensor) -> bool:
    """Whether functions are transformed (torch.func), take dual numbers, or one of these is a batch of gradients.

    Whatever the operands: a transform of one that is not among them, such as a weight, reaches the others too.
    """
    if torch.compiler.is_compiling():
        return False
    transforms = torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
    return transforms or any(map(torch._C._functorch.is_legacy_batchedtensor, operands))


def is_for_torch_alone(*operands: Tensor) -> bool:
    """Whether operators of ours will not do: what is exported runs without us, and transforms know none of ours."""
    return torch.compiler.is_exporting() or is_transformed(*operands)


def is_counted() -> bool:
    """Whether torch's ``FlopCounterMode`` looks on, which knows no operators of ours; its module imports much."""
    module = sys.modules.get("torch.utils.flop_counter")
    if module is None or torch.compiler.is_compiling():
        return False
    return any(isinstance(mode, module._FlopCounterMode) for mode in _get_current_dispatch_mode_stack())


def is_float32(*tensors: Tensor) -> bool:
    """Whether all of them are plain numbers in float32 on a CPU, that nobody watches or wants in another precision."""
    return (
        not torch.is_autocast_enabled("cpu")
        and is_eager(*tensors)
        and all(
            t.device.type == "cpu" and t.dtype == torch.float32 and type(t) in (Tensor, nn.Parameter) for t in tensors
        )
    )
