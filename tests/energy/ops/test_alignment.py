"""Which implementation of the alignment runs, and that a descent over strips compiles, exports and infers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from attractor.dynamics import descend
from attractor.energy import Context, EnergyAttention, EnergyLayerNorm, HopfieldMemory
from attractor.energy.ops import Surroundings, align, alignment

ONES = torch.ones(2, 3, 3)
CASES: dict[str, tuple[Context | None, int, str]] = {  # 36 scores: context, SMALL, who computes
    "small": (None, 36, "reference"),
    "large": (None, 35, "strips"),
    "padded": (Context(tokens=ONES[..., 0].bool()), 35, "strips"),
    "pairs": (Context(pairs=ONES.bool()), 35, "reference"),
    "weights": (Context(weights=ONES), 35, "reference"),
}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the names of the implementations as they are called."""
    names: list[str] = []
    for name in ("reference", "strips"):
        compute = getattr(alignment, name)
        monkeypatch.setattr(alignment, name, lambda *a, n=name, f=compute: (names.append(n), f(*a))[1])
    return names


@pytest.mark.parametrize("case", CASES)
def test_choice_of_implementation(called: list[str], monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    context, small, expected = CASES[case]
    monkeypatch.setattr(alignment, "SMALL", small)
    q, k = torch.randn(2, 2, 2, 3, 4, dtype=torch.float64)
    around = Surroundings(context, include_self=False)
    aligned = align(q, k, around)
    assert called == [expected]
    torch.testing.assert_close(tuple(aligned), tuple(alignment.reference(q, k, around)))


class Descent(nn.Module):
    """Two steps down attention and memory."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = EnergyAttention(16, 2, 8) + HopfieldMemory(16, 32)
        self.norm = EnergyLayerNorm(16)
        for parameter in self.energy.parameters():
            nn.init.normal_(parameter, std=0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Where ``x`` ends."""
        return descend(self.energy, self.norm, x, steps=2)[0]


@pytest.fixture
def descent(monkeypatch: pytest.MonkeyPatch) -> Descent:
    """Return a descent that takes the strips at any size."""
    monkeypatch.setattr(alignment, "SMALL", 0)
    return Descent()


def test_compiles_whole_with_the_same_gradients(descent: Descent) -> None:
    x = torch.randn(3, 9, 16, requires_grad=True)
    found = []
    for walk in (descent, torch.compile(descent, fullgraph=True, backend="aot_eager")):
        y = walk(x)
        found.append([y, *torch.autograd.grad(y.square().mean(), [x, *descent.parameters()])])
    torch.testing.assert_close(*found)


def test_exports_without_our_operator(descent: Descent) -> None:
    x = torch.randn(3, 9, 16)
    exported = torch.export.export(descent, (x,))
    assert "attractor" not in str(exported.graph)
    torch.testing.assert_close(exported.module()(x), descent(x))


def test_infers(descent: Descent) -> None:
    x = torch.randn(3, 9, 16)
    with torch.inference_mode():
        inferred = descent(x)
    assert torch.equal(inferred, descent(x))


def test_under_autocast_gradients_stay_within_bfloat16(descent: Descent) -> None:
    x = torch.randn(3, 9, 16, requires_grad=True)
    exact = torch.autograd.grad(descent(x).square().mean(), [x, *descent.parameters()])
    with torch.autocast("cpu", torch.bfloat16):
        y = descent(x)
    for a, b in zip(torch.autograd.grad(y.square().mean(), [x, *descent.parameters()]), exact, strict=True):
        assert (a - b).norm() < 2e-2 * b.norm()
