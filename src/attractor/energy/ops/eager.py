"""Whether numbers are computed here and now, so that another way to the same ones may be taken."""

from __future__ import annotations

import torch
from torch import Tensor


def is_eager(x: Tensor) -> bool:
    """False while torch compiles, exports, traces, transforms or watches functions of ``x``, by its own operations."""
    traced = torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch.jit.is_tracing()
    return not (traced or is_watched() or torch._C._functorch.is_functorch_wrapped_tensor(x))


def is_watched() -> bool:
    """Whether a dispatch mode looks at every operation, such as one that counts them, and could not see into ours."""
    return not torch.compiler.is_compiling() and torch._C._len_torch_dispatch_stack() > 0
