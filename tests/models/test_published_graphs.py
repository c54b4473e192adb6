"""The published network for whole graphs: its golden numbers, its parameters, and each of its flaws at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from attractor.errors import InputError
from attractor.models.published_graphs import PublishedGraphNet, converted, from_published, published_batch
from parity import PRECISIONS, Arrays, assert_golden, assert_golden_gradients

CASES = ("basic", "adjbias", "edgeattr", "nocorr")
Golden = Callable[[str], Arrays]


@pytest.fixture(params=PRECISIONS)
def precision(request: pytest.FixtureRequest) -> str:
    return request.param


def parameters_of(arrays: Arrays, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    own = {name.removeprefix("param/"): a for name, a in arrays.items() if name.startswith("param/")}
    return {name: torch.from_numpy(a).to(dtype) for name, a in own.items()}


def inputs_of(arrays: Arrays, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(arrays[name]).to(dtype) for name in "XAP")


def net_of(arrays: Arrays, dtype: torch.dtype = torch.float64, **settings: Any) -> PublishedGraphNet:
    descent = {"steps": int(arrays["depth"]), "step_size": float(arrays["alpha"])}
    parameters = {name: t.numpy() for name, t in parameters_of(arrays, dtype).items()}
    return from_published(parameters, **{**descent, **settings})


@pytest.mark.parametrize("case", CASES)
def test_network(golden: Golden, case: str, precision: str) -> None:
    arrays, dtype = golden(f"c_graph_{case}_{precision}"), PRECISIONS[precision]
    net, (x, adjacency, positions) = net_of(arrays, dtype), inputs_of(arrays, dtype)
    logits, nodes = net(x, adjacency, positions)
    assert_golden(logits, arrays["CLS"][:, 0], "CLS")
    assert_golden(nodes, arrays["Xout"], "Xout")
    assert_golden(net.weights(net.tokens(x, positions), adjacency).movedim(1, -1), arrays["Ahat"], "Ahat")
    _, traces = net.evolve(x, adjacency, positions, trace="tokens")
    assert_golden(torch.cat([trace.energies[:-1] for trace in traces]), arrays["energies"], "energies")
    states = [trace.tokens for trace in traces if trace.tokens is not None]
    assert_golden(torch.cat(states), arrays["embeddings"], "embeddings")


@pytest.mark.parametrize("case", CASES)
def test_gradients(golden: Golden, case: str, precision: str) -> None:
    # Both beside the float64 run: the float32 one's own rounding is 0.9 of the tolerance in a case.
    arrays, dtype = golden(f"c_graph_{case}_f64"), PRECISIONS[precision]
    leaves = nn.ParameterDict(parameters_of(arrays, dtype))
    logits, _ = functional_call(net_of(arrays, dtype), converted(dict(leaves)), inputs_of(arrays, dtype))
    logits.square().mean().backward()
    assert_golden(logits.square().mean(), arrays["loss_mean_sq_cls"], "loss")
    assert_golden_gradients(leaves, arrays)


@pytest.mark.parametrize("activation", ["gelu", "softmax"])
def test_other_memories(golden: Golden, activation: str) -> None:
    arrays = golden("c_graph_edgeattr_f64")  # has a bias
    net = net_of(arrays, activation=activation)
    own = parameters_of(arrays)
    g = torch.from_numpy(arrays["g0_block0"])
    h = g @ own["encode_block_0/chn/proj/kernel"] + own["encode_block_0/chn/proj/bias"]
    beta = h.shape[-1] ** 0.5
    expected = {
        "gelu": -nn.functional.gelu(h, approximate="tanh").square().sum(dim=(1, 2)) / 2,
        "softmax": -(beta * h).logsumexp(dim=-1).sum(dim=1) / beta,
    }
    block: Any = net.blocks[0]
    torch.testing.assert_close(block.memory.energy(g), expected[activation])
    assert net(*inputs_of(arrays))[0].isfinite().all()


def test_a_dilated_kernel_is_a_wider_one_with_zeros(golden: Golden) -> None:
    arrays = golden("c_graph_basic_f64")
    wide = np.zeros((5, 5, 1, 4), np.float32)
    wide[::2, ::2] = arrays["param/conv/kernel"]
    dilated, inputs = net_of(arrays, dilation=2), inputs_of(arrays)
    logits = net_of(arrays | {"param/conv/kernel": wide})(*inputs)[0]
    torch.testing.assert_close(dilated(*inputs)[0], logits)
    assert (logits - net_of(arrays)(*inputs)[0]).abs().max() > 1e-3


def test_parameters_that_do_not_fit_are_refused(golden: Golden) -> None:
    own = {name: t.numpy() for name, t in parameters_of(golden("c_graph_basic_f64")).items()}
    for changed, said in [
        ({name: a for name, a in own.items() if name != "encode_block_1/attn/Hw"}, "has 'encode_block_1/attn/Hw'"),
        ({}, "has 'cls_token'"),
        (own | {"head/kernel": np.zeros(3)}, "has no head/kernel"),
        (own | {"decoder/kernel": np.zeros((31, 5))}, "decoder.weight"),
    ]:
        with pytest.raises(InputError, match=said):
            from_published(changed)


# --- what is wrong with it -----------------------------------------------------------------------------------------


def graphs_of(arrays: Arrays) -> list[tuple[Tensor, Tensor]]:
    """The graphs of the golden batch, without their padding."""
    return [
        (torch.from_numpy(x[:n]), torch.from_numpy(adj[1 : n + 1, 1 : n + 1]).nonzero().T)
        for x, adj, n in zip(arrays["X"], arrays["adj"], arrays["sizes"], strict=True)
    ]


def test_batches_are_padded_as_published(golden: Golden) -> None:
    arrays = golden("c_graph_basic_f64")
    x, adjacency, positions = published_batch(graphs_of(arrays), positions=5)
    assert torch.equal(x, torch.from_numpy(arrays["X"])) and torch.equal(adjacency, torch.from_numpy(arrays["A"]))
    expected = torch.from_numpy(arrays["P"])  # the fifth of graph 1 has an eigenvalue that others have too
    signs = (positions * expected).sum(dim=1, keepdim=True).sign()
    torch.testing.assert_close((positions * signs)[..., :4], expected[..., :4], atol=1e-5, rtol=1e-5)
    assert not published_batch([(x[0, :3], torch.tensor([[0], [1]]))])[2][..., 3:].any()  # 4 tokens have no more


def largest_change(first: Tensor, second: Tensor) -> float:
    return float((first - second).detach().abs().max())


def test_the_convolution_depends_on_how_nodes_are_numbered(golden: Golden) -> None:
    for case, blind in (("basic", False), ("nocorr", True)):
        arrays = golden(f"c_graph_{case}_f64")
        net, (x, adjacency, positions) = net_of(arrays), inputs_of(arrays)
        nodes = torch.randperm(x.shape[1])
        tokens = torch.cat([torch.zeros(1, dtype=torch.int64), nodes + 1])
        moved = net(x[:, nodes], adjacency[:, tokens][:, :, tokens], positions[:, tokens])[0]
        change = largest_change(moved, net(x, adjacency, positions)[0])
        assert change < 1e-9 if blind else change > 1e-2


def test_padding_takes_part(golden: Golden) -> None:
    arrays = golden("c_graph_nocorr_f64")
    net, (graph, *_) = net_of(arrays), graphs_of(arrays)
    larger = (torch.randn(14, 7), torch.tensor([[0], [1]]))
    logits = []
    for batch in ([graph], [graph, larger]):
        x, adjacency, positions = published_batch(batch)
        logits.append(net(x.double(), adjacency.double(), torch.zeros(len(x), positions.shape[1], 5).double())[0][0])
    assert largest_change(*logits) > 1e-2  # without any help from the eigenvectors


def test_a_step_of_training_joins_everybody_to_everybody(golden: Golden) -> None:
    arrays = golden("c_graph_basic_f64")
    net, (x, adjacency, positions) = net_of(arrays), inputs_of(arrays)

    def seen() -> float:
        return float((net.weights(net.tokens(x, positions), adjacency) != 0).double().mean())

    assert seen() < 0.7
    net(x, adjacency, positions)[0].square().mean().backward()
    torch.optim.SGD(net.parameters(), lr=1e-3).step()
    assert seen() == 1


def test_noise_is_drawn_in_evaluation(golden: Golden) -> None:
    arrays, generator = golden("c_graph_basic_f64"), torch.Generator().manual_seed(0)
    net, inputs = net_of(arrays, noise=0.1), inputs_of(arrays)
    assert not net.training
    assert largest_change(net(*inputs, generator)[0], net(*inputs, generator)[0]) > 1e-2
    assert torch.equal(net(*inputs)[0], net(*inputs)[0])
