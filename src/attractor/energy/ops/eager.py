"""Whether numbers are computed here and now, so that another way to the same ones may be taken."""

from __future__ import annotations

import torch
from torch import Tensor


def is_eager(x: Tensor) -> bool:
    """False while torch compiles, exports, traces, transforms or watches functions of ``x``, by its own operations.

    A dispatch mode that watches, such as one that counts operations, could not see into ours.
    """
    traced = torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch.jit.is_tracing()
    watched = traced or torch._C._len_torch_dispatch_stack() > 0
    return not watched and not torch._C._functorch.is_functorch_wrapped_tensor(x)
