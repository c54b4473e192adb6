"""What every token does for itself, a block of tokens at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BLOCK = 2**16  # tokens


def in_blocks(function: Callable[..., Tensor], *tensors: Tensor, dim: int) -> Tensor:
    """``function`` of tensors whose tokens, along ``dim``, do not feel each other: in blocks of tokens.

    So what it holds in between stays small. Only where there are many, and no gradient that would hold it anyway.
    """
    if torch.is_grad_enabled() or tensors[0].shape[dim] <= BLOCK:
        return function(*tensors)
    whole: Tensor | None = None
    for start in range(0, tensors[0].shape[dim], BLOCK):
        length = min(BLOCK, tensors[0].shape[dim] - start)
        part = function(*(t.narrow(dim, start, length) for t in tensors))
        if whole is None:
            whole = part.new_empty([*part.shape[:dim], tensors[0].shape[dim], *part.shape[dim + 1 :]])
        whole.narrow(dim, start, length).copy_(part)
    assert whole is not None
    return whole
