"""The network on whole graphs: a descent, blind to numbering, to other graphs, to their order, and to chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.packed import Encoder
from attractor.energy import Edges
from attractor.errors import InputError
from attractor.models import GraphBatch, GraphET, GraphETConfig
from attractor.models.store import load_model, save_model
from random_graphs import random_graphs, renumbered, renumbering

SIZES = (5, 1, 7, 2)
SMALL = {"classes": 3, "dim": 8, "heads": 2, "head_dim": 4, "memories": 6, "blocks": 2, "steps": 2, "dropout": 0.0}
EXACT = {"rtol": 1e-9, "atol": 1e-9}
ENCODED = {"rtol": 1e-5, "atol": 1e-5}  # walks are float32: they round as nodes are numbered


def encoder_of(graphs: GraphSet, eigenvectors: int = 0) -> Encoder:
    return Encoder.of(graphs, walks=3, eigenvectors=eigenvectors)


def double(batch: GraphBatch) -> GraphBatch:
    names = ("x", "positions", "eigenvectors", "links")
    return replace(batch, **{name: getattr(batch, name).double() for name in names})


def batch_of(graphs: GraphSet, numbers: Sequence[int] | None = None, eigenvectors: int = 0) -> GraphBatch:
    """In float64, encoded as the random graphs of seed 0 are."""
    packed = encoder_of(random_graphs(SIZES), eigenvectors).encode(graphs)
    return double(packed.batch(range(len(graphs)) if numbers is None else numbers))


def network(eigenvectors: int = 0, **changes: float) -> GraphET:
    """In evaluation mode and float64, its weights far from where they start."""
    torch.manual_seed(0)
    encoder = encoder_of(random_graphs(SIZES), eigenvectors)
    sizes = {"features": encoder.features, "positions": encoder.positions, "links": encoder.links}
    model = GraphET(GraphETConfig(**{**sizes, "eigenvectors": eigenvectors, **SMALL, **changes})).double()
    model.fit_scales(batch_of(random_graphs(SIZES), eigenvectors=eigenvectors))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.uniform_(0.4, 1.2) if name.endswith("beta") else parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def permuted(batch: GraphBatch, number: Tensor) -> GraphBatch:
    """The same tokens, of which token t is ``number[t]``."""
    old, n = number.argsort(), len(number)
    target, source = number[batch.edges.targets()], number[batch.edges.indices.long()]
    tokens = {name: getattr(batch, name)[old] for name in ("x", "positions", "eigenvectors")}
    links = batch.links[(target * n + source).argsort()]
    return replace(batch, **tokens, links=links, edges=Edges.build(torch.stack([source, target]), n, self_loops=False))


def test_the_tokens_walk_down_the_gradient_of_the_energy() -> None:
    model, batch = network(), batch_of(random_graphs(SIZES))
    x = model.tokens(batch)
    context = model.context(batch, x)
    x = x.unsqueeze(0)
    for block in model.descents:
        for _ in range(2):
            g = block.norm(x).detach().requires_grad_()
            x = x - 0.5 * torch.autograd.grad(block.energy.energy(g, context).sum(), g)[0]
    g = block.norm(x).squeeze(0)
    torch.testing.assert_close(model.evolve(batch)[0], g, **EXACT)
    latent = torch.cat([g[batch.readers], batch.mean_over_nodes(g)], dim=1)
    torch.testing.assert_close(model(batch), model.head(latent), **EXACT)


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 8), min_size=1, max_size=4), seed=st.integers(0, 10**6))
def test_renumbered_nodes_change_nothing(sizes: list[int], seed: int) -> None:
    model, graphs = network(), random_graphs(sizes, seed)
    number = renumbering(graphs, seed)
    logits = model(batch_of(graphs))
    torch.testing.assert_close(model(batch_of(renumbered(graphs, number))), logits, **ENCODED)
    batch = batch_of(graphs)
    tokens = torch.arange(len(batch.x))
    nodes = batch.is_node.nonzero().flatten()
    tokens[nodes] = nodes[number]
    torch.testing.assert_close(model(permuted(batch, tokens)), logits, **EXACT)


@settings(max_examples=20)
@given(numbers=st.lists(st.integers(0, len(SIZES) - 1), min_size=1, max_size=6), seed=st.integers(0, 10**6))
def test_other_graphs_and_their_order_change_nothing(numbers: list[int], seed: int) -> None:
    model, graphs = network(), random_graphs(SIZES, seed)
    alone = torch.cat([model(batch_of(graphs, [i])) for i in numbers])
    torch.testing.assert_close(model(batch_of(graphs, numbers)), alone, **EXACT)


def test_what_is_known_of_graphs_matters() -> None:
    model, graphs = network(), random_graphs(SIZES)
    logits = model(batch_of(graphs))
    edges = graphs.edge_index.shape[1]
    for changes in [
        {"x": graphs.x + 1},
        {"node_labels": (replace(graphs.node_labels[0], codes=(graphs.node_labels[0].codes + 1) % 3),)},
        {"edge_attr": graphs.edge_attr + 1},
        {"edge_labels": (replace(graphs.edge_labels[0], codes=torch.zeros(edges, dtype=torch.int64)),)},
    ]:
        changed = (model(batch_of(replace(graphs, **changes))) - logits).abs().amax(dim=1)
        assert changed[2] > 1e-6, changes.keys()
    fewer = GraphSet.build(graphs.sizes, graphs.edge_index[:, :0], graphs.x, graphs.node_labels, torch.zeros(0, 1), [
        graphs.edge_labels[0][torch.zeros(0, dtype=torch.int64)]
    ])  # fmt: skip
    changed = (model(batch_of(fewer)) - logits).abs().amax(dim=1)
    assert changed[1] < 1e-9 and changed[2] > 1e-6  # graph 1 is a single node


def test_graphs_without_edges_and_single_nodes_are_finite() -> None:
    model, graphs = network(), random_graphs((1, 3, 1), edges=0)
    assert graphs.edge_index.shape[1] == 0
    logits = model(batch_of(graphs))
    logits.square().sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert logits.isfinite().all() and all(gradient.isfinite().all() for gradient in gradients)
    model.fit_scales(batch_of(graphs))
    assert model(batch_of(random_graphs(SIZES))).isfinite().all()


def test_every_parameter_learns() -> None:
    model = network()
    model(batch_of(random_graphs(SIZES))).square().sum().backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


@pytest.mark.parametrize("changes", [{"noise": 0.1}, {"eigenvectors": 2}, {"dropout": 0.5}], ids=str)
def test_chance_plays_in_training_alone(changes: dict[str, float]) -> None:
    model = network(**changes)
    batch = batch_of(random_graphs(SIZES), eigenvectors=int(changes.get("eigenvectors", 0)))
    assert torch.equal(model(batch), model(batch))
    model.train()
    assert len({model(batch).sum().item() for _ in range(8)}) > 1


def test_eigenvectors_answer_for_their_signs_alone() -> None:
    """What they bring back: the answer depends on a sign that renumbering may flip, and training draws at random."""
    model, graphs = network(eigenvectors=2), random_graphs((9,), seed=3)
    number = renumbering(graphs)
    batch, other = batch_of(graphs, eigenvectors=2), batch_of(renumbered(graphs, number), eigenvectors=2)
    vectors, moved = batch.eigenvectors[1:], other.eigenvectors[1:][number]
    torch.testing.assert_close(moved.abs(), vectors.abs(), **ENCODED)
    signs = (moved * vectors).sum(dim=0).sign()
    aligned = replace(other, eigenvectors=other.eigenvectors * signs)
    torch.testing.assert_close(model(aligned), model(batch), **ENCODED)
    for flip in torch.tensor([[-1, 1], [1, -1]]):
        assert (model(replace(batch, eigenvectors=batch.eigenvectors * flip)) - model(batch)).abs().max() > 1e-6
    drawn = {tuple(model.train()._signed(batch)[1].sign().tolist()) for _ in range(40)}
    assert len(drawn) == 4


def test_scales_are_those_of_nodes_and_of_edges_between_them() -> None:
    model, batch = network(), batch_of(random_graphs(SIZES))
    between = batch.links[:, 0] > 0
    for z in (model.standardize(batch.x)[batch.is_node], model.standardize_links(batch.links)[between][:, 3:]):
        varies = z.std(dim=0) > 0
        assert varies.sum() >= 5
        torch.testing.assert_close(z.mean(dim=0), torch.zeros_like(z[0]), atol=1e-9, rtol=0)
        torch.testing.assert_close(z[:, varies].std(dim=0, correction=0), torch.ones_like(z[0, varies]))
    links = model._links(batch)
    assert torch.equal(links[:, :3], batch.links[:, :3]) and not links[~between][:, 3:].any()


def test_a_saved_network_says_the_same(tmp_path: Path) -> None:
    model = network().float()
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    batch = encoder_of(random_graphs(SIZES)).encode(random_graphs(SIZES)).batch([0, 2])
    assert isinstance(loaded, GraphET) and loaded.config == model.config
    assert torch.equal(loaded(batch), model(batch))


@pytest.mark.parametrize("what", ["x", "positions", "eigenvectors", "links"])
def test_graphs_with_other_numbers_of_features_are_refused(what: str) -> None:
    batch = batch_of(random_graphs(SIZES))
    columns = getattr(batch, what)
    wrong = replace(batch, **{what: torch.cat([columns, columns.new_ones(len(columns), 1)], dim=1)})
    name = {"x": "features"}.get(what, what)
    with pytest.raises(
        InputError, match=f"^graphs have {columns.shape[1] + 1} {name}, not {columns.shape[1]}; [^\n]*$"
    ):
        network()(wrong)


class Flat(nn.Module):
    """The network on tensors alone."""

    def __init__(self) -> None:
        super().__init__()
        self.model = network().float()

    def forward(self, *parts: Tensor) -> Tensor:
        *tokens, indptr, indices, links, ptr = parts
        return self.model(GraphBatch(*tokens, Edges(indptr, indices), links, ptr))


def test_exports_for_any_number_of_graphs_nodes_and_edges() -> None:
    packed, flat = encoder_of(random_graphs(SIZES)).encode(random_graphs(SIZES)), Flat()

    def parts(*numbers: int) -> tuple[Tensor, ...]:
        batch = packed.batch(numbers)
        return (batch.x, batch.positions, batch.eigenvectors, *batch.edges.arrays, batch.links, batch.ptr)

    tokens, edges, graphs = torch.export.Dim("tokens"), torch.export.Dim("edges"), torch.export.Dim("graphs", min=3)
    free = [{0: size} for size in (tokens, tokens, tokens, tokens + 1, edges, edges, graphs)]
    exported = torch.export.export(flat, parts(0, 1), dynamic_shapes={"parts": tuple(free)}).module()
    for numbers in [(0, 1), (2, 3, 1, 0), (2, 2)]:
        torch.testing.assert_close(exported(*parts(*numbers)), flat(*parts(*numbers)))
