"""The transformer block against the golden arrays."""

from __future__ import annotations

import pytest
import torch

from attractor.energy import GloebaAttention
from attractor.models.blocks import Block
from parity import IMPLEMENTATIONS, PRECISIONS, assert_golden_module, attention_by


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_golden(golden, implementation: str, precision: str) -> None:
    block = Block(64, GloebaAttention(64, 4), mlp_ratio=4.0, dropout=0.1)
    with attention_by(implementation):
        assert_golden_module(block, golden(f"e_transformer_block_{precision}"), PRECISIONS[precision])


def test_dropout_acts_in_training_only() -> None:
    block, x = Block(12, GloebaAttention(12, 3), mlp_ratio=2.0, dropout=0.5), torch.randn(2, 5, 12)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))
