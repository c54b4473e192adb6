"""Whether numbers are computed here and now, so that another way to the same ones may be taken."""

from __future__ import annotations

import torch
from torch import Tensor


def is_eager(x: Tensor) -> bool:
    """False while torch compiles, exports, traces, or transforms functions of ``x``: those want its own operations."""
    watched = torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch.jit.is_tracing()
    return not watched and not torch._C._functorch.is_functorch_wrapped_tensor(x)
