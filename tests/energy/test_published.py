"""The published energies, forces and descents, by the golden arrays, each quirk behind its own switch.

``include_self``: all three published codes count a token's score with itself. ``Context.weights``: an attention mask,
or a graph, multiplies the scores. Mixed heads: ``mix_heads``. The published
Lagrangian of all tokens under one root is read by nothing that is published, so it is a line of a test here.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from attractor.dynamics import descend
from attractor.energy import Context, EnergyAttention, EnergyLayerNorm, EnergySum, HopfieldMemory
from parity import PRECISIONS, Arrays, assert_golden

GRAPHS = ("basic", "adjbias", "edgeattr", "nocorr")


@pytest.fixture(params=PRECISIONS)
def precision(request: pytest.FixtureRequest) -> str:
    return request.param


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(array))


def layer_norm(gamma: np.ndarray, delta: np.ndarray) -> EnergyLayerNorm:
    norm = EnergyLayerNorm(len(delta))
    norm.load_state_dict({"gamma": tensor(gamma).reshape(()), "delta": tensor(delta)})
    return norm


def attention_of(wq: Tensor, wk: Tensor, bq: Tensor | None, bk: Tensor | None, beta: float | Tensor) -> EnergyAttention:
    heads, head_dim, dim = wq.shape
    learnt = isinstance(beta, Tensor)
    energy = EnergyAttention(
        dim, heads, head_dim, beta=None if learnt else beta, learn_beta=learnt, bias=bq is not None, include_self=True
    )
    weights = {"W": torch.stack([wq, wk])}
    if bq is not None and bk is not None:
        weights["bias"] = torch.stack([b.expand(heads, head_dim) for b in (bq, bk)])
    energy.to(wq.dtype).load_state_dict(weights | ({"beta": beta.reshape(-1, 1, 1)} if learnt else {}))
    return energy


def memory_of(xi: Tensor, bias: Tensor | None = None) -> HopfieldMemory:
    energy = HopfieldMemory(xi.shape[1], len(xi), bias=bias is not None)
    energy.load_state_dict({"xi": xi} | ({} if bias is None else {"bias": bias}))
    return energy


# --- one block of the JAX code -------------------------------------------------------------------------------------


def jax_block(arrays: Arrays, dtype: torch.dtype) -> tuple[EnergyLayerNorm, EnergyAttention, HopfieldMemory, Tensor]:
    attention = attention_of(tensor(arrays["Wq"]), tensor(arrays["Wk"]), None, None, float(arrays["beta"]))
    memory = memory_of(tensor(arrays["Xi"]).T)
    norm = layer_norm(arrays["gamma"], arrays["delta"])
    return norm.to(dtype), attention.to(dtype), memory.to(dtype), tensor(arrays["x0"]).to(dtype)[None]


def test_jax_forces(golden, precision: str) -> None:
    arrays = golden(f"a_et_block_small_{precision}")
    norm, attention, memory, x = jax_block(arrays, PRECISIONS[precision])
    g = norm(x)
    assert_golden(g[0], arrays["g0"], "g0")
    assert_golden(-attention.force(g)[0], arrays["dEattn_dg0"], "dEattn_dg0")
    assert_golden(-memory.force(g)[0], arrays["dEhn_dg0"], "dEhn_dg0")
    assert_golden(-(attention + memory).force(g)[0], arrays["dEdg0"], "dEdg0")


def test_jax_descent_and_the_gradients_through_it(golden, precision: str) -> None:
    arrays = golden(f"a_et_block_small_{precision}")
    norm, attention, memory, x = jax_block(arrays, PRECISIONS[precision])
    energy, x = attention + memory, x.requires_grad_()
    steps, alpha = int(arrays["n_steps"]), float(arrays["alpha"])
    end, trace = descend(energy, norm, x, steps=steps, step_size=alpha, trace="tokens")
    assert trace is not None and trace.tokens is not None
    assert_golden(trace.energies[:, 0], arrays["E_total"], "E_total")
    assert_golden(trace.tokens[:, 0], arrays["tokens"], "tokens")
    for name, term in {"E_attn": attention, "E_hn": memory}.items():
        assert_golden(term.energy(norm(trace.tokens[:, 0])), arrays[name], name)

    loss = end.square().mean()
    loss.backward()
    assert_golden(loss, arrays["loss_mean_sq_final"], "loss")
    assert attention.W.grad is not None and memory.xi.grad is not None and x.grad is not None
    found = {"Wq": attention.W.grad[0], "Wk": attention.W.grad[1], "Xi": memory.xi.grad.T, "x0": x.grad[0]}
    for name, grad in (found | {"gamma": norm.gamma.grad, "delta": norm.delta.grad}).items():
        assert_golden(grad, arrays[f"dloss_d{name}"], name)


def test_jax_lagrangian_is_right_token_by_token(golden, precision: str) -> None:
    arrays = golden(f"a_et_block_small_{precision}")
    norm, _, _, x = jax_block(arrays, PRECISIONS[precision])
    assert_golden(norm.lagrangian(x)[0], arrays["ln_lagrangian_per_token"], "Lagrangian")
    # What is left of two numbers near 10 after they cancel: the published float32 keeps two digits of it.
    expected, zero = tensor(arrays["ln_energy_per_token"]), 1e-12 if precision == "f64" else 1e-4
    torch.testing.assert_close(norm.energy(x)[0], expected, rtol=1e-9, atol=zero)


def test_jax_lagrangian_puts_all_tokens_under_one_root(golden, precision: str) -> None:
    arrays = golden(f"a_et_block_small_{precision}")
    norm, _, _, x = jax_block(arrays, PRECISIONS[precision])
    variance = norm.standardize(x)[1].square() - norm.eps
    flawed = x.shape[-1] * norm.gamma * (variance.sum() + norm.eps).sqrt() + (x * norm.delta).sum()
    assert_golden(flawed, arrays["ln_lagrangian_official_2d"], "flawed Lagrangian")


# --- the blocks of the PyTorch code --------------------------------------------------------------------------------


def torch_blocks(arrays: Arrays) -> list[tuple[EnergyLayerNorm, EnergySum]]:
    blocks = []
    for i in range(sum(name.startswith("sd/") and name.endswith("attn.wq") for name in arrays)):
        own = {n.removeprefix(f"sd/blocks.{i}."): tensor(a) for n, a in arrays.items() if n.startswith("sd/blocks.")}
        beta = 0.3 if "attn_mask" in arrays else own["1.attn.wq"].shape[1] ** -0.5
        attention = attention_of(*(own.get(f"1.attn.{name}") for name in ("wq", "wk", "bq", "bk")), beta)
        memory = memory_of(own["1.hn.proj.weight"], own.get("1.hn.proj.bias"))
        blocks.append((layer_norm(own["0.gamma"].numpy(), own["0.bias"].numpy()), attention + memory))
    return blocks


@pytest.mark.parametrize("case", ["basic", "full"])
def test_torch_image_descent(golden, case: str, precision: str) -> None:
    arrays, dtype = golden(f"b_torch_image_{case}_{precision}"), PRECISIONS[precision]
    x = tensor(arrays["tokens_prepared"]).to(dtype)
    context = Context(weights=tensor(arrays["attn_mask"]).to(dtype)) if "attn_mask" in arrays else None
    blocks, alpha = torch_blocks(arrays), float(arrays["alpha"])
    steps, energies = (len(arrays["energies"]) - 1) // len(blocks), []
    for norm, energy in blocks:
        x, trace = descend(
            energy.to(dtype), norm.to(dtype), x, steps=steps, step_size=alpha, trace=True, context=context
        )
        assert trace is not None
        energies += list(trace.energies[:-1])
    energies = torch.stack([*energies, trace.energies[-1]])
    assert_golden(energies, arrays["energies_per_sample"], "energies per sample")
    assert_golden(energies.sum(dim=1), arrays["energies"], "energies")
    assert_golden(x, arrays["tokens_final"], "tokens_final")


# --- the graph blocks of the JAX code ------------------------------------------------------------------------------


def mixed_heads(own: dict[str, Tensor]) -> EnergyAttention:
    """Published heads are mixed by ``Hw_ho beta_h q_h . k_h``, ours by ``beta_o M_ho q_h . k_h``."""
    (heads, head_dim, dim), betas = own["Wq"].shape, own["betas"]
    weights = {"W": torch.stack([own["Wq"], own["Wk"]]), "beta": betas.reshape(-1, 1, 1)}
    weights["M"] = own["Hw"] * betas.unsqueeze(1) / betas
    if "Bq" in own:
        weights["bias"] = torch.stack([own["Bq"], own["Bk"]])
    settings = {"learn_beta": True, "mix_heads": True, "include_self": True, "bias": "Bq" in own}
    energy = EnergyAttention(dim, heads, head_dim, **settings).to(betas.dtype)
    energy.load_state_dict(weights)
    return energy


def graph_block(arrays: Arrays, i: int, dtype: torch.dtype) -> tuple[EnergyLayerNorm, EnergyAttention, HopfieldMemory]:
    block = f"param/encode_block_{i}/"
    own = {n.removeprefix(block): tensor(a).to(dtype) for n, a in arrays.items() if n.startswith(block)}
    norm = layer_norm(arrays[f"param/encode_norm_{i}/gamma"], arrays[f"param/encode_norm_{i}/bias"]).to(dtype)
    attention = mixed_heads({n.removeprefix("attn/"): a for n, a in own.items()}).to(dtype)
    return norm, attention, memory_of(own["chn/proj/kernel"].T, own.get("chn/proj/bias")).to(dtype)


def graph_context(arrays: Arrays) -> Context:
    """The graph multiplies the scores; an exact zero is published as "no edge"."""
    weights = tensor(arrays["Ahat"]).permute(0, 3, 1, 2)
    return Context(pairs=weights != 0, weights=weights)


@pytest.mark.parametrize("case", GRAPHS)
def test_graph_attention(golden, case: str, precision: str) -> None:
    arrays, dtype = golden(f"c_graph_{case}_{precision}"), PRECISIONS[precision]
    norm, attention, _ = graph_block(arrays, 0, dtype)
    g = tensor(arrays["g0_block0"]).to(dtype)
    assert_golden(norm(tensor(arrays["embeddings"][0]).to(dtype)), arrays["g0_block0"], "g0")
    for name, context in {"": graph_context(arrays), "_noadj": None}.items():
        energy, force = attention.evaluate(g, context)
        assert_golden(energy, arrays[f"E_attn{name}_block0_step0"], f"E_attn{name}")
        assert_golden(-force, arrays[f"dEattn_dg{name}_block0_step0"], f"dEattn_dg{name}")


@pytest.mark.parametrize("case", GRAPHS)
def test_graph_descent(golden, case: str, precision: str) -> None:
    arrays, dtype = golden(f"c_graph_{case}_{precision}"), PRECISIONS[precision]
    depth, alpha = int(arrays["depth"]), float(arrays["alpha"])
    expected = tensor(arrays["embeddings"]).to(dtype).unflatten(0, (-1, depth + 1))
    energies = tensor(arrays["energies"]).to(dtype).unflatten(0, (-1, depth))
    for i in range(int(arrays["block"])):
        norm, attention, memory = graph_block(arrays, i, dtype)
        x, context = expected[i, 0], graph_context(arrays)
        _, trace = descend(attention + memory, norm, x, steps=depth, step_size=alpha, trace="tokens", context=context)
        assert trace is not None and trace.tokens is not None
        assert_golden(trace.energies[:-1], energies[i].numpy(), "energies")
        assert_golden(trace.tokens, expected[i].numpy(), "embeddings")
