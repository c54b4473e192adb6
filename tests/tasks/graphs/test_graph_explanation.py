"""What nodes and edges add is the energy of their graph; what the class rests on is what it loses without it."""

import json
from dataclasses import asdict, replace

import networkx as nx
import numpy as np
import pytest
import torch

from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.errors import InputError
from attractor.files import json_text
from attractor.models.graph_batch import GraphBatch
from attractor.tasks import GraphClassifier
from attractor.tasks.graphs import occlusion
from attractor.tasks.graphs.explanation import explain_graphs
from attractor.tasks.graphs.occlusion import without_each
from attractor.tasks.graphs.shares import energy_shares
from rings import rings_and_paths

GRAPHS = rings_and_paths()
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def classifier() -> GraphClassifier:
    """Of two networks, in whose last block everything has its weight."""
    fitted = GraphClassifier(dim=8, blocks=2, epochs=2, members=2).fit(GRAPHS)
    torch.manual_seed(0)
    with torch.no_grad():
        for member in fitted.members_:
            attention = member.blocks[-1].attention
            attention.M.add_(0.5 * torch.randn_like(attention.M))
            attention.beta.copy_(torch.rand_like(attention.beta) + 0.3)
            member.mixing.k.normal_()
            member.blocks[-1].memory.xi.normal_(std=0.5)
    return fitted


def in_float64(batch: GraphBatch) -> GraphBatch:
    names = ("x", "positions", "eigenvectors", "links")
    return replace(batch, **{name: getattr(batch, name).double() for name in names})


@pytest.mark.parametrize("graphs", [[0], [1], [3, 0, 2]])
def test_pairs_and_memory_add_up_to_the_energy(classifier, graphs):
    """The pairs of a token to its share of attention, and all to the end of the descent."""
    batch = in_float64(classifier.encoder_.encode(GRAPHS).batch(graphs))
    member = classifier.members_[0].double()
    try:
        shares = energy_shares([member], batch)
        context = member.context(batch, member.tokens(batch))
        g, block = member.evolve(batch)[0].unsqueeze(0), member.blocks[-1]
        rows = torch.zeros(len(batch.x)).double().index_add(0, batch.edges.targets(), shares.pairs)
        close = {"rtol": 0, "atol": 1e-9}
        torch.testing.assert_close(rows, block.attention.per_token(g, context)[0], **close)
        torch.testing.assert_close(rows + shares.memory, block.energy.per_token(g, context)[0], **close)
        torch.testing.assert_close(shares.pairs.sum() + shares.memory.sum(), shares.energies[-1, 1], **close)
    finally:
        member.float()
    assert shares.energies.shape == (2, 2)


def test_a_pairs_share_is_the_mean_over_its_attention_of_score_and_surprise(classifier):
    """Along every edge by itself, from the equation: of all heads -P (S - log P) / beta."""
    batch, (member, _) = classifier.encoder_.encode(GRAPHS).batch([0]), classifier.members_
    shares = energy_shares([member], batch)
    context, g = member.context(batch, member.tokens(batch)), member.evolve(batch)[0].unsqueeze(0)
    attention = member.blocks[-1].attention
    q, k = attention.queries_keys(g, context)
    sources, targets = batch.edges.indices.long(), batch.edges.targets()
    dots = (q[0][:, targets] * k[0][:, sources]).sum(-1)  # (H, E)
    beta = attention.beta.flatten()[:, None]
    scores = beta * context.weights.T * (attention.M.T @ dots)
    p = attention.maps(g, context)[0]
    expected = -(p * (scores - p.log()) / beta).sum(0)
    torch.testing.assert_close(shares.pairs.float(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("number", [0, 1])
def test_an_explanation_adds_up_in_both_ways(classifier, number):
    (found,) = explain_graphs(classifier, GRAPHS, [number])
    nodes, edges = sum(node.energy for node in found.nodes), sum(edge.energy for edge in found.edges)
    assert nodes + found.reader == pytest.approx(found.energy, rel=1e-9)
    assert edges + found.readings + found.memory == pytest.approx(found.energy, rel=1e-9)
    assert found.after[-1] == pytest.approx(found.energy, rel=1e-5)
    assert len(found.before) == len(found.after) == 2 and found.members == 2
    assert sum(node.attention for node in found.nodes) == pytest.approx(1, rel=1e-6)
    size = int(GRAPHS.sizes[number])
    assert [node.node for node in found.nodes] == list(range(size))
    ring_or_path = nx.cycle_graph(size) if number == 0 else nx.path_graph(size)
    assert {(edge.source, edge.target) for edge in found.edges} == {(min(e), max(e)) for e in ring_or_path.edges}
    assert len(found.edges) == ring_or_path.number_of_edges()
    assert all(edge.energy for edge in found.edges)


def test_an_edge_has_what_both_of_its_ends_make_of_it(classifier):
    (found,) = explain_graphs(classifier, GRAPHS, [2])
    batch = classifier.encoder_.encode(GRAPHS).batch([2])
    shares = energy_shares(classifier.members_, batch)
    ends = zip(batch.edges.indices.tolist(), batch.edges.targets().tolist(), strict=True)
    pairs = dict(zip(ends, shares.pairs.tolist(), strict=True))
    for edge in found.edges:  # token 0 is the reader
        there, back = pairs[edge.source + 1, edge.target + 1], pairs[edge.target + 1, edge.source + 1]
        assert edge.energy == pytest.approx(there + back) and there != pytest.approx(back)
    assert found.readings == pytest.approx(sum(share for pair, share in pairs.items() if 0 in pair))
    reader = [p for (_, target), p in zip(pairs, shares.attention.tolist(), strict=True) if target == 0]
    assert [node.attention for node in found.nodes] == pytest.approx(reader)


def test_class_and_labels_are_the_graphs_own(classifier):
    one, two = explain_graphs(classifier, GRAPHS, np.array([5, 2]))
    p = classifier.predict_proba(GRAPHS)
    for found, number in ((one, 5), (two, 2)):
        assert (found.graph, found.actual) == (number, -1 if number % 2 else 1)
        assert list(found.probabilities) == [-1, 1]
        np.testing.assert_allclose(list(found.probabilities.values()), p[number], rtol=1e-5)
        assert found.probabilities[found.predicted] == found.probability == max(found.probabilities.values())
        labels = GRAPHS.node_labels[0][torch.arange(int(GRAPHS.ptr[number]), int(GRAPHS.ptr[number + 1]))]
        assert [node.label for node in found.nodes] == [labels.values[code] for code in labels.codes]
    read = json.loads(json_text([asdict(one)]))
    assert read[0]["edges"][0] == asdict(one.edges[0])


def test_several_networks_count_alike(classifier):
    batch = classifier.encoder_.encode(GRAPHS).batch([0])
    alone = [energy_shares([member], batch) for member in classifier.members_]
    for mean, *parts in zip(energy_shares(classifier.members_, batch), *alone, strict=True):
        torch.testing.assert_close(mean, sum(parts) / 2)
    assert not torch.allclose(alone[0].pairs, alone[1].pairs)


def test_the_class_rests_on_what_it_loses_without_it(classifier):
    """Against graphs built anew without a node."""
    (found,) = explain_graphs(classifier, GRAPHS, [1])
    of = list(found.probabilities).index(found.predicted)
    for node in found.nodes:
        less = classifier.predict_proba(rebuilt_without(GRAPHS[[1]], node.node))[0, of]
        assert node.evidence == pytest.approx(np.log(found.probability / less), rel=1e-4, abs=1e-6)
    assert found.tried == len(found.nodes)
    assert len({round(node.evidence, 6) for node in found.nodes}) > 1


def rebuilt_without(graph: GraphSet, node: int) -> GraphSet:
    stays = torch.arange(len(graph.x)) != node
    number = stays.cumsum(0) - 1
    index = graph.edge_index[:, (graph.edge_index != node).all(dim=0)]
    labels = [label[stays] for label in graph.node_labels]
    return GraphSet.build(torch.tensor([len(graph.x) - 1]), number[index], graph.x[stays], labels)


def test_nothing_else_is_left_out():
    """Labels and attributes stay with their nodes and edges."""
    edges = torch.tensor([[0, 1, 0], [1, 2, 2]])
    kinds, ends = Categories.of(["a", "b", "c"]), Categories.of([7, 8, 9])
    whole = GraphSet.build(torch.tensor([3]), edges, torch.eye(3), [ends], torch.arange(3.0)[:, None], [kinds])
    without = without_each(whole, torch.tensor([2, 0]))
    assert without.sizes.tolist() == [2, 2]
    assert without.edge_index.tolist() == [[1, 0, 3, 2], [0, 1, 2, 3]]
    assert without.edge_attr.flatten().tolist() == [0, 0, 1, 1]
    assert [kinds.values[code] for code in without.edge_labels[0].codes] == ["a", "a", "b", "b"]
    assert [ends.values[code] for code in without.node_labels[0].codes] == [7, 8, 8, 9]
    torch.testing.assert_close(without.x, torch.eye(3)[[0, 1, 1, 2]])


def test_of_a_large_graph_the_most_attended_are_tried(classifier, monkeypatch):
    monkeypatch.setattr(occlusion, "LEAST", 3)
    monkeypatch.setattr(occlusion, "WORK", 1)
    (found,) = explain_graphs(classifier, GRAPHS, [0])
    most = sorted(found.nodes, key=lambda node: -node.attention)
    assert found.tried == 3 < len(most)
    assert min(n.attention for n in most if n.evidence is not None) >= max(n.attention for n in most[3:])


def test_a_node_alone_is_all_there_is(classifier):
    alone = GraphSet.build(torch.tensor([1]), torch.zeros(2, 0), torch.ones(1, 1), [Categories.of([3])])
    (found,) = explain_graphs(classifier, alone, [0])
    assert (found.tried, found.edges, found.actual) == (0, (), None)
    assert found.nodes[0].attention == pytest.approx(1)
    assert found.readings + found.memory == pytest.approx(found.energy)


@pytest.mark.parametrize("number", [40, -1])
def test_a_graph_that_is_not_there_is_named(classifier, number):
    with pytest.raises(InputError, match=f"RINGS has no graph {number}; its graphs are numbered 0 to 39"):
        explain_graphs(classifier, GRAPHS, [0, number])


def test_renumbered_nodes_have_the_same_shares(classifier):
    (found,) = explain_graphs(classifier, GRAPHS, [0])
    one = GRAPHS[[0]]
    order = torch.randperm(len(one.x))
    place = order.argsort()
    labels = [label[order] for label in one.node_labels]
    (again,) = explain_graphs(classifier, GraphSet.build(one.sizes, place[one.edge_index], one.x[order], labels), [0])
    for i, node in enumerate(order.tolist()):
        assert again.nodes[i].energy == pytest.approx(found.nodes[node].energy, rel=1e-4)
        assert again.nodes[i].attention == pytest.approx(found.nodes[node].attention, rel=1e-4)
        assert again.nodes[i].evidence == pytest.approx(found.nodes[node].evidence, rel=1e-2, abs=1e-5)
