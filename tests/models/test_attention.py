"""The attentions that are not energies, against the golden arrays and torch's own module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from attractor.models.attention import CrossAttention, PrototypeAttention, StandardAttention
from parity import IMPLEMENTATIONS, PRECISIONS, assert_golden_module, attention_by

MODULES = {
    "e_standard_attention": lambda: StandardAttention(64, 4),
    "e_prototype_cross_attention": lambda: PrototypeAttention(64, 4, 4),
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", MODULES)
def test_golden(golden, name: str, implementation: str, precision: str) -> None:
    with attention_by(implementation):
        assert_golden_module(MODULES[name](), golden(f"{name}_{precision}"), PRECISIONS[precision])


def test_cross_attention_is_torchs_multi_head_attention() -> None:
    theirs, ours = nn.MultiheadAttention(12, 3, batch_first=True).double(), CrossAttention(12, 3).double()
    nn.init.normal_(theirs.in_proj_bias)
    ours.load_state_dict(theirs.state_dict())
    x, context = torch.randn(2, 5, 12, dtype=torch.float64), torch.randn(2, 7, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(x, context), theirs(x, context, context)[0], rtol=1e-11, atol=1e-12)


def test_prototypes_do_not_see_the_order_of_the_tokens() -> None:
    attention, tokens = PrototypeAttention(12, 3, 2).double(), torch.randn(2, 6, 12, dtype=torch.float64)
    torch.testing.assert_close(attention(tokens.flip(1)), attention(tokens), rtol=1e-11, atol=1e-12)
