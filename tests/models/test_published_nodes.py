"""The published network for anomalous nodes: its golden numbers, isolated nodes, and no tie to one graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from attractor.energy import Edges
from attractor.models.published_nodes import PublishedLayer, PublishedNodeNet, used
from parity import PRECISIONS, Arrays, assert_golden

CASES = ("sym_ln_res", "sym_plain", "one_head", "clamped", "directed")


@pytest.fixture(params=PRECISIONS)
def precision(request: pytest.FixtureRequest) -> str:
    return request.param


def edges_of(arrays: Arrays, nodes: int) -> Edges:
    """The stored edges, both directions and self-loops among them, as they are."""
    return Edges.build(torch.from_numpy(np.stack([arrays["src"], arrays["dst"]])), nodes, directed=True)


def layer_of(arrays: Arrays) -> PublishedLayer:
    dim, heads, _ = arrays["Q"].shape
    flags = {name: bool(arrays[name]) for name in ("layer_norm", "residual")}
    layer = PublishedLayer(dim, heads, ffn=int(arrays["ffn"]), **flags)
    names = {"attention.Q": "Q", "attention.K": "K", "W": "W", "attention.beta": "beta"}
    if flags["layer_norm"]:
        names |= {"layer_norm1.weight": "ln_weight", "layer_norm1.bias": "ln_bias"}
    weights = {name: torch.from_numpy(arrays[key]) for name, key in names.items()}
    weights["attention.beta"] = weights["attention.beta"].reshape(1)
    layer.load_state_dict(weights)
    return layer.eval()


@pytest.mark.parametrize("case", CASES)
def test_layer(golden, case: str, precision: str) -> None:
    arrays, dtype = golden(f"d_graph_anomaly_{case}_{precision}"), PRECISIONS[precision]
    layer, h = layer_of(arrays).to(dtype), torch.from_numpy(arrays["h_in"]).to(dtype).requires_grad_()
    edges = edges_of(arrays, len(h))
    assert_golden(layer.attention(layer.layer_norm1(h), edges), arrays["attn_final"], "attn_final")
    y = layer(h, edges)
    assert_golden(y, arrays["layer_out"], "layer_out")
    y.square().mean().backward()
    found = {"h_in": h, "Q": layer.attention.Q, "K": layer.attention.K, "W": layer.W, "beta": layer.attention.beta}
    for name, t in found.items():
        assert t.grad is not None
        assert_golden(t.grad, arrays[f"grad_{name}"], f"grad_{name}")


@pytest.mark.parametrize("subsampled", [0, 1])
def test_network(golden, subsampled: int, precision: str) -> None:
    arrays, dtype = golden(f"d_graph_anomaly_net_sub{subsampled}_{precision}"), PRECISIONS[precision]
    assert int(arrays["subsample_flag"]) == subsampled
    weights = {name.removeprefix("sd/"): torch.from_numpy(a) for name, a in arrays.items() if name.startswith("sd/")}
    x = torch.from_numpy(arrays["features"]).to(dtype)
    dim, heads, _ = weights["layers.attention.Q"].shape
    sizes = {"layers": int(arrays["n_layers"]), "ffn": weights["layers.W"].shape[1] // dim}
    net = PublishedNodeNet(x.shape[1], dim, heads, **sizes, concatenate=not subsampled)
    net.load_state_dict(used(weights))
    assert_golden(net.eval().to(dtype)(x, edges_of(arrays, len(x))), arrays["logits"], "logits")


def net_and_gradient(x: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
    net = PublishedNodeNet(3, 4, 2, dropout=0.0)
    y = net(x, edges)
    y.square().mean().backward()
    return y, torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


@pytest.mark.parametrize("nodes", [1, 6, 9])
def test_isolated_nodes_are_finite_in_a_graph_of_any_size(nodes: int) -> None:
    index = torch.tensor([[0, 1], [1, 2]]) if nodes > 3 else torch.zeros(2, 0, dtype=torch.long)
    y, gradient = net_and_gradient(torch.randn(nodes, 3), Edges.build(index, nodes, self_loops=False))
    assert y.shape == (nodes, 2) and y.isfinite().all() and gradient.isfinite().all()


def test_drops_out_in_training_alone() -> None:
    net, x = PublishedNodeNet(3, 8, 1), torch.randn(5, 3)
    edges = Edges.build(torch.tensor([[0, 1], [1, 2]]), 5)
    assert not torch.equal(net(x, edges), net(x, edges))
    net.eval()
    assert torch.equal(net(x, edges), net(x, edges))
