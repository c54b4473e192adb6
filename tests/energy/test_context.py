"""The context: what it accepts, and the rows it keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from registry import BATCH, HEADS, N, build, contexts, tokens

from attractor.energy import Context
from attractor.errors import InputError


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"tokens": torch.ones(3, 4)}, "tokens must be a bool mask"),
        ({"tokens": torch.ones(4, dtype=torch.bool)}, "tokens must be a bool mask"),
        ({"pairs": torch.ones(4, 4)}, "pairs must be a bool mask"),
        ({"pairs": torch.ones(4, dtype=torch.bool)}, "pairs must be a bool mask"),
        ({"weights": torch.ones(4, 4, dtype=torch.long)}, "weights must be floats"),
        ({"weights": torch.ones(4)}, "weights must be floats"),
    ],
)
def test_refuses_masks_of_another_kind(masks: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        Context(**masks)


@pytest.mark.parametrize(
    "shape", [(N, N + 1), (1, N), (BATCH - 1, N, N), (BATCH, HEADS + 1, N, N), (HEADS, N, N), (BATCH, 1, 1, N)]
)
@pytest.mark.parametrize("name", ["pairs", "weights"])
def test_attention_refuses_pairs_of_other_tokens(name: str, shape: tuple[int, ...]) -> None:
    t = torch.ones(shape).double()
    with pytest.raises(InputError, match=rf"^{name} has shape .*; for these tokens it must be \("):
        build("attention").evaluate(tokens(), Context(**{name: t if name == "weights" else t.bool()}))


@pytest.mark.parametrize("shape", [(N, N), (1, N, N), (BATCH, N, N), (1, HEADS, N, N), (BATCH, 1, N, N), (1, 1, N, N)])
def test_pairs_and_weights_broadcast(shape: tuple[int, ...]) -> None:
    attention, g = build("attention"), tokens()
    pairs, weights = torch.rand(shape) > 0.4, torch.randn(shape).double()
    full = (BATCH, HEADS, N, N)
    wide = [t.unsqueeze(1).expand(full) if t.ndim == 3 else t.expand(full) for t in (pairs, weights)]
    found = attention.evaluate(g, Context(pairs=pairs, weights=weights))
    torch.testing.assert_close(found, attention.evaluate(g, Context(None, *wide)), rtol=1e-12, atol=1e-12)


def test_rows_keep_what_all_samples_share() -> None:
    context = contexts()["all"]
    assert context is not None and context.tokens is not None
    shared = Context(context.tokens[:1], torch.ones(BATCH, BATCH, dtype=torch.bool), context.weights)
    rows = shared.rows(torch.tensor([2, 0]))
    assert rows.tokens is shared.tokens and rows.pairs is shared.pairs
    assert rows.weights is not None and torch.equal(rows.weights, context.weights[[2, 0]])
