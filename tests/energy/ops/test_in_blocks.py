"""Blocks of tokens: the numbers of the whole, whatever is left for the last one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attractor.energy.ops import in_blocks as module
from attractor.energy.ops.in_blocks import in_blocks


@pytest.mark.parametrize("tokens", [0, 1, 4, 5, 8, 11])
@pytest.mark.parametrize("dim", [0, 1])
def test_equals_the_whole_and_sees_no_more_than_a_block(dim: int, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    shape, seen = (tokens, 3) if dim == 0 else (2, tokens, 3), []

    def function(a: Tensor, b: Tensor) -> Tensor:
        seen.append(a.shape[dim])
        return (a * b).sum(dim=-1)

    a, b = torch.randn(2, *shape)
    with torch.no_grad():
        assert torch.equal(in_blocks(function, a, b, dim=dim), (a * b).sum(dim=-1))
    assert max(seen) <= 4 and sum(seen) == tokens
    in_blocks(function, a, b, dim=dim)
    assert seen[-1] == tokens  # whole where gradients would hold it anyway
