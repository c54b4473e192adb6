"""Every energy and its force where autograd cannot be asked, and in the precisions that machines like."""

from __future__ import annotations

import pytest
import torch
from registry import BATCH, DIM, ENERGIES, N, build, contexts, tokens
from torch import Tensor, nn

from attractor.energy import Context, Energy, EnergyLayerNorm

HALVES = (torch.float16, torch.bfloat16)


@pytest.fixture(params=ENERGIES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


class Block(nn.Module):
    """Norm, energy and force of padded tokens: what a model runs at every step."""

    def __init__(self, name: str):
        super().__init__()
        self.inner, self.norm = build(name, torch.float32), EnergyLayerNorm(DIM)

    def forward(self, x: Tensor, real: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner.evaluate(self.norm(x), Context(tokens=real, weights=weights))


def operands(batch: int = BATCH, n: int = N) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(batch, n, DIM), torch.rand(batch, n) > 0.3, torch.randn(batch, n, n)


def test_under_inference_mode(name: str) -> None:
    block, inputs = Block(name), operands()
    expected = block(*inputs)
    with torch.inference_mode():
        found = block(*(t.clone() for t in inputs))
    assert found[0].is_inference()
    torch.testing.assert_close(tuple(t.clone() for t in found), tuple(t.detach() for t in expected))


def test_exports_for_any_batch_and_length(name: str) -> None:
    block, batch, n = Block(name), torch.export.Dim("batch", min=1), torch.export.Dim("n", min=1)
    sizes = ({0: batch, 1: n}, {0: batch, 1: n}, {0: batch, 1: n, 2: n})
    exported = torch.export.export(block, operands(), dynamic_shapes=sizes).module()
    for inputs in (operands(), operands(5, 7)):
        torch.testing.assert_close(exported(*inputs), block(*inputs))


def test_compiles_to_one_graph(name: str) -> None:
    block, inputs = Block(name), operands()
    torch.compiler.reset()
    compiled = torch.compile(block, fullgraph=True, backend="aot_eager")
    expected, found = block(*inputs), compiled(*inputs)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(f.sin().sum(), list(block.parameters())) for _, f in (expected, found)]
    torch.testing.assert_close(*gradients)


def test_autocast_keeps_energies_in_float32(name: str) -> None:
    energy, context, g = build(name, torch.float32), contexts(torch.float32)["all"], tokens(torch.float32)
    expected = energy.evaluate(g, context)
    with torch.autocast("cpu", torch.bfloat16):
        found = energy.evaluate(g, context)
    close(found, expected, torch.float32, 4e-2)


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_modules(name: str, dtype: torch.dtype) -> None:
    exact = build(name)
    context, g = contexts(dtype)["all"], tokens(dtype)
    energy = build(name, dtype)
    energy.load_state_dict(exact.state_dict())
    exact.load_state_dict(energy.state_dict())  # the same weights, rounded once
    assert context is not None and context.weights is not None
    wide = Context(context.tokens, context.pairs, context.weights.double())
    close(energy.evaluate(g, context), exact.evaluate(g.double(), wide), dtype, 4e-2)


def close(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], dtype: torch.dtype, zero: float) -> None:
    """Equal to within ``zero`` of the largest number, energies in float32 and forces in ``dtype``."""
    assert [t.dtype for t in found] == [torch.float32, dtype]
    for actual, exact in zip(found, expected, strict=True):
        scale = exact.abs().max().item()
        torch.testing.assert_close(actual.double(), exact.double(), rtol=0, atol=zero * scale)


def test_double_is_exact(name: str) -> None:
    """Constants are no float32 parameters: a float32 module made double is the double module."""
    energy, late = build(name, torch.float32), ENERGIES[name]().double()
    late.load_state_dict(energy.state_dict())
    g = tokens()
    torch.testing.assert_close(energy.double().evaluate(g), late.evaluate(g), rtol=0, atol=0)


def test_half_precision_gelu_has_no_nan() -> None:
    memory: Energy = build("memory-gelu", torch.float16)
    assert memory.force(1e2 * tokens(torch.float16)).isfinite().all()
