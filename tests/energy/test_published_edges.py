"""The published energy along edges, by the golden arrays: ours is its exact gradient on every graph, clamped or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from attractor.energy import Context, Edges, EnergyAttention, HopfieldMemory
from parity import PRECISIONS, Arrays, assert_golden

SYMMETRIC = ("sym_ln_res", "sym_plain", "one_head", "clamped")
UNCLAMPED = "one_head"  # the one published case in which no score reaches the clamp


@pytest.fixture(params=PRECISIONS)
def precision(request: pytest.FixtureRequest) -> str:
    return request.param


def block(arrays: Arrays, dtype: torch.dtype) -> tuple[EnergyAttention, HopfieldMemory]:
    """Published queries and keys are (D, H, D), memories (D, M), and beta divides."""
    wq, wk, w = (torch.from_numpy(arrays[name]) for name in ("Q", "K", "W"))
    dim, heads, head_dim = wq.shape
    attention = EnergyAttention(dim, heads, head_dim, learn_beta=True)
    beta = torch.full((heads, 1, 1), 1 / float(arrays["beta"]))
    attention.load_state_dict({"W": torch.stack([wq, wk]).permute(0, 2, 3, 1), "beta": beta})
    memory = HopfieldMemory(dim, w.shape[1])
    memory.load_state_dict({"xi": w.T})
    return attention.to(dtype), memory.to(dtype)


def context_of(arrays: Arrays, directed: bool) -> Context:
    """The stored edges; of an undirected graph they hold both directions, of which one is enough."""
    index = torch.from_numpy(np.stack([arrays["src"], arrays["dst"]]))
    if not directed:
        index = index[:, index[0] <= index[1]]
    return Context(edges=(Edges.build(index, len(arrays["h_in"]), directed=directed),))


@pytest.mark.parametrize("case", [*SYMMETRIC, "directed"])
def test_energy_and_its_exact_force(golden, case: str, precision: str) -> None:
    arrays, dtype = golden(f"d_graph_anomaly_{case}_{precision}"), PRECISIONS[precision]
    attention, _ = block(arrays, dtype)
    g = torch.from_numpy(arrays["h_normed"]).to(dtype)[None]
    energy, force = attention.evaluate(g, context_of(arrays, directed=case == "directed"))
    assert_golden(energy[0], arrays["E_attn_true_unclamped"], "E_attn")
    assert_golden(force[0], arrays["neg_autograd_dE_unclamped"], "force")


def normalised(arrays: Arrays, h: Tensor) -> Tensor:
    if not arrays["layer_norm"]:
        return h
    weight, bias = (torch.from_numpy(arrays[name]).to(h) for name in ("ln_weight", "ln_bias"))
    return torch.nn.functional.layer_norm(h, h.shape[-1:], weight, bias)


def test_layer_and_its_gradients_where_nothing_is_clamped(golden, precision: str) -> None:
    arrays, dtype = golden(f"d_graph_anomaly_{UNCLAMPED}_{precision}"), PRECISIONS[precision]
    assert not arrays["frac_clamped"] and not arrays["directed"] and arrays["residual"]
    (attention, memory), context = block(arrays, dtype), context_of(arrays, directed=False)
    h = torch.from_numpy(arrays["h_in"]).to(dtype)[None].requires_grad_()
    g = normalised(arrays, h)
    force = attention.force(g, context)
    assert_golden(force[0], arrays["attn_final"], "attn_final")
    y = force + memory.force(g) + g
    assert_golden(y[0], arrays["layer_out"], "layer_out")
    loss = y.square().mean()
    assert_golden(loss, arrays["loss_mean_sq"], "loss")
    dh, dw, dbeta, dxi = torch.autograd.grad(loss, [h, attention.W, attention.beta, memory.xi])
    divisor = -dbeta.sum().reshape(1) / float(arrays["beta"]) ** 2  # published beta is 1 / ours
    found = {"h_in": dh[0], "W": dxi.T, "beta": divisor}
    found |= dict(zip("QK", dw.permute(0, 3, 1, 2), strict=True))
    for name, gradient in found.items():
        assert_golden(gradient, arrays[f"grad_{name}"], f"grad_{name}")
