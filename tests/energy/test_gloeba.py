"""Gloeba attention: the golden arrays, the free energy it minimises, and where it must run."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from attractor.energy import GloebaAttention
from attractor.energy.ops import split_heads
from attractor.errors import InputError
from parity import IMPLEMENTATIONS, PRECISIONS, assert_golden, assert_golden_module, attention_by, load_golden


def gloeba(dtype: torch.dtype = torch.float64, **settings: bool) -> GloebaAttention:
    """Three heads with scales of both signs and temperatures far from one."""
    attention = GloebaAttention(12, 3, **settings).to(dtype)
    with torch.no_grad():
        attention.M.normal_()
        attention.norm_scale.copy_(torch.tensor([-1.5, 0.7, 2.0]))
        attention.log_temp.copy_(torch.tensor([-1.0, 0.0, 0.5]))
    return attention


def scores(attention: GloebaAttention, x: Tensor) -> Tensor:
    """``s = q . k'`` by its definition, before the temperature, ``(B, H, N, N)``."""
    q = split_heads(attention.W_tied(x), attention.heads)
    k = torch.einsum("hij,bhnj->bhni", attention.M, q)
    if attention.normalize_keys:
        k = k / k.norm(dim=-1, keepdim=True)
    return torch.einsum("bhnd,bhmd->bhnm", q, k) * attention.norm_scale.abs()[:, None, None]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_golden(golden, precision: str, implementation: str) -> None:
    with attention_by(implementation):
        arrays = golden(f"e_energy_based_attention_{precision}")
        assert_golden_module(GloebaAttention(64, 4), arrays, PRECISIONS[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_golden_scores_and_weights(golden, precision: str) -> None:
    arrays, dtype = golden(f"e_energy_based_attention_{precision}"), PRECISIONS[precision]
    attention = load_golden(GloebaAttention(64, 4), arrays, dtype)
    q, k = attention.queries_keys(torch.from_numpy(arrays["x"]).to(dtype))
    logits = q @ k.transpose(-2, -1)
    assert_golden(logits, arrays["logits_over_temp"], "logits")
    assert_golden(logits.softmax(-1), arrays["attn"], "attn")


@pytest.mark.parametrize("normalize_keys", [True, False])
def test_the_row_minimises_the_free_energy_over_the_simplex(normalize_keys: bool) -> None:
    attention, x = gloeba(normalize_keys=normalize_keys), torch.randn(2, 5, 12, dtype=torch.float64)
    s, tau = scores(attention, x), attention.temperature()[:, None, None]
    q, k = attention.queries_keys(x)
    row = (q @ k.transpose(-2, -1)).softmax(-1)

    def free_energy(p: Tensor) -> Tensor:
        return (-p * s + tau * torch.xlogy(p, p)).sum(-1)

    minimum = attention.free_energy(x)
    torch.testing.assert_close(free_energy(row), minimum, rtol=1e-12, atol=1e-12)
    simplex = torch.distributions.Dirichlet(torch.full((5,), 0.7, dtype=torch.float64))
    for other in simplex.sample((200,)):
        assert (free_energy(other.expand_as(s)) > minimum).all()
        assert (free_energy(row.lerp(other.expand_as(s), 1e-3)) > minimum).all()


def test_output_is_the_weighted_values() -> None:
    attention, x = gloeba(), torch.randn(2, 5, 12, dtype=torch.float64)
    weights = (scores(attention, x) / attention.temperature()[:, None, None]).softmax(-1)
    heads = weights @ split_heads(attention.W_v(x), 3)
    expected = attention.proj(torch.cat(list(heads.unbind(1)), dim=-1))
    torch.testing.assert_close(attention(x), expected, rtol=1e-12, atol=1e-12)


def test_without_normalised_keys_the_scores_are_bilinear() -> None:
    x, double = torch.randn(1, 5, 12, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    double[2] = 2.0
    for normalize_keys in (True, False):
        attention = gloeba(normalize_keys=normalize_keys)
        attention.W_tied.bias.data.zero_()

        def logits(tokens: Tensor, attention: GloebaAttention = attention) -> Tensor:
            q, k = attention.queries_keys(tokens)
            return q @ k.transpose(-2, -1)

        # twice a token: twice its row always, twice its column only where the keys keep their length
        columns = torch.ones_like(double) if normalize_keys else double
        expected = logits(x) * double[:, None] * columns
        torch.testing.assert_close(logits(x * double[:, None]), expected)


def test_temperature_has_a_floor() -> None:
    attention = gloeba()
    attention.log_temp.data.fill_(-50.0)
    torch.testing.assert_close(attention.temperature(), torch.full((3,), 1e-4, dtype=torch.float64))


def test_is_equivariant_to_a_permutation_of_the_tokens() -> None:
    attention, x, order = gloeba(), torch.randn(2, 6, 12, dtype=torch.float64), torch.randperm(6)
    torch.testing.assert_close(attention(x[:, order]), attention(x)[:, order], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(attention.free_energy(x[:, order]), attention.free_energy(x)[..., order])


def test_each_matrix_starts_orthogonal() -> None:
    m = GloebaAttention(12, 3).M
    torch.testing.assert_close(m @ m.transpose(-2, -1), torch.eye(4).expand(3, 4, 4), rtol=0, atol=1e-6)


def test_gradcheck() -> None:
    attention, x = gloeba(), torch.randn(1, 3, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(attention, x)
    assert torch.autograd.gradcheck(attention.free_energy, x)


def test_bf16_autocast_is_close_and_the_free_energy_stays_float32() -> None:
    attention, x = gloeba(torch.float32), torch.randn(2, 6, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, energy = attention(x), attention.free_energy(x)
    assert (y.dtype, energy.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(y.float(), attention(x), rtol=0, atol=0.05)
    torch.testing.assert_close(energy, attention.free_energy(x), rtol=0, atol=0.05)


def test_inference_mode_gives_the_same_numbers() -> None:
    attention, x = gloeba(), torch.randn(2, 6, 12, dtype=torch.float64)
    with torch.inference_mode():
        found = attention(x), attention.free_energy(x)
    torch.testing.assert_close(found, (attention(x), attention.free_energy(x)), rtol=1e-12, atol=1e-12)


def test_export_gives_the_same_numbers() -> None:
    attention, x = gloeba(torch.float32).eval(), torch.randn(2, 6, 12)
    exported = torch.export.export(attention, (x,), strict=False).module()
    torch.testing.assert_close(exported(x), attention(x))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(InputError, match="dim 12 is not a multiple of heads 5"):
        GloebaAttention(12, 5)


@pytest.mark.parametrize(("dim", "heads"), [(4, 0), (0, 1), (4.0, 2), ("4", 2)])
def test_sizes_that_are_none_are_refused(dim: int, heads: int) -> None:
    with pytest.raises(InputError, match=r"^(dim|heads) must be "):
        GloebaAttention(dim, heads)


BASIS = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1))).Q
SKEW = torch.tensor([[0.0, 1, 2, 0], [-1, 0, 0, 3], [-2, 0, 0, 1], [0, -3, -1, 0]])


@pytest.mark.parametrize(
    ("m", "symmetric", "definite", "signs"),
    [
        (BASIS @ torch.diag(torch.tensor([1.0, 2, 3, 4])) @ BASIS.T, True, "positive", (4, 0)),
        (-BASIS @ torch.diag(torch.tensor([1.0, 2, 3, 4])) @ BASIS.T, True, "negative", (0, 4)),
        (BASIS @ torch.diag(torch.tensor([1.0, 2, 0, 0])) @ BASIS.T, True, "positive", (2, 0)),
        (BASIS @ torch.diag(torch.tensor([1.0, 2, -3, -4])) @ BASIS.T, True, "indefinite", (2, 2)),
        (SKEW, False, "indefinite", (0, 0)),
        (SKEW + 0.5 * torch.eye(4), False, "positive", (4, 0)),
        (SKEW + torch.diag(torch.tensor([1.0, 1, 1, -1])), False, "indefinite", (3, 1)),
    ],
)
def test_territory(m: Tensor, symmetric: bool, definite: str, signs: tuple[int, int]) -> None:
    attention = GloebaAttention(4, 1)
    attention.M.data.copy_(m[None])
    (found,) = attention.territory()
    assert (found.symmetric, found.definite) == (symmetric, definite)
    assert (found.positive, found.negative) == signs
    eigenvalues = torch.linalg.eigvalsh((m + m.T) / 2)
    assert (found.lowest, found.highest) == pytest.approx((eigenvalues[0].item(), eigenvalues[-1].item()), abs=1e-6)
    assert str(found) == f"{'symmetric' if symmetric else 'asymmetric'}, {definite} ({signs[0]}+/{signs[1]}-)"


def test_asymmetry_of_symmetric_antisymmetric_and_zero_matrices() -> None:
    attention = GloebaAttention(12, 3)
    attention.M.data.copy_(torch.stack([torch.eye(4), SKEW, torch.zeros(4, 4)]))
    assert [t.asymmetry for t in attention.territory()] == pytest.approx([0.0, 1.0, 0.0])


def test_territory_does_not_depend_on_the_precision_or_change_the_module() -> None:
    attention = gloeba()
    before = copy.deepcopy(attention.state_dict())
    in_float32 = copy.deepcopy(attention).float().territory()
    for a, b in zip(attention.territory(), in_float32, strict=True):
        assert (a.definite, a.positive, a.negative) == (b.definite, b.positive, b.negative)
    torch.testing.assert_close(attention.state_dict(), before, rtol=0, atol=0)
