"""Graph sets as numbers: what each column says, and that a batch of some is a part of the whole."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.data.graphs.packed import Encoder
from attractor.data.graphs.structure import walks
from attractor.energy import Edges
from attractor.errors import InputError
from attractor.models.graph_batch import KINDS, NODE_NODE, NODE_READER, READER_NODE, GraphBatch
from random_graphs import VALUES, random_graphs

SIZES = (4, 1, 6, 3)


def whole(graphs: GraphSet) -> GraphBatch:
    return Encoder.of(graphs, walks=3, eigenvectors=2).encode(graphs).batch(range(len(graphs)))


def test_columns_are_labels_attributes_and_where_nodes_are() -> None:
    graphs = random_graphs(SIZES)
    batch, (at_nodes, along_edges) = whole(graphs), walks(graphs, 3)
    nodes, between = batch.is_node, batch.links[:, NODE_NODE] > 0
    one_hot = [label.codes.unsqueeze(1) == torch.arange(3) for label in (*graphs.node_labels, *graphs.edge_labels)]
    assert torch.equal(batch.x[nodes], torch.cat([one_hot[0].float(), graphs.x], dim=1))
    degree = torch.bincount(graphs.edge_index[1], minlength=sum(SIZES)).float().log1p()
    size = graphs.sizes.repeat_interleave(graphs.sizes).float().log()
    torch.testing.assert_close(batch.positions[nodes], torch.cat([at_nodes, torch.stack([degree, size], dim=1)], dim=1))
    bonds = torch.cat([one_hot[1].float(), graphs.edge_attr, along_edges], dim=1)
    torch.testing.assert_close(batch.links[between][:, KINDS:], bonds)
    for known in (batch.x, batch.positions, batch.eigenvectors):
        assert not known[batch.readers].any()
    assert not batch.links[~between][:, KINDS:].any()


def test_the_encoder_knows_how_many_columns_there_are() -> None:
    graphs = random_graphs(SIZES)
    encoder, batch = Encoder.of(graphs, walks=3, eigenvectors=2), whole(graphs)
    found = (batch.x.shape[1], batch.positions.shape[1], batch.links.shape[1], batch.eigenvectors.shape[1])
    assert found == (encoder.features, encoder.positions, encoder.links, 2) == (5, 5, KINDS + 7, 2)


def test_readers_see_all_nodes_of_their_graph_and_edges_say_who_is_who() -> None:
    graphs = random_graphs(SIZES)
    batch = whole(graphs)
    seer, seen = batch.edges.targets(), batch.edges.indices.long()
    assert torch.equal(batch.graph[seer], batch.graph[seen]) and (seer != seen).all()
    kinds = batch.links[:, :KINDS]
    assert torch.equal(kinds.sum(dim=1), torch.ones(len(kinds)))
    assert torch.equal(kinds[:, READER_NODE] > 0, ~batch.is_node[seer])
    assert torch.equal(kinds[:, NODE_READER] > 0, ~batch.is_node[seen])
    for sights in (seer[~batch.is_node[seer]], seen[~batch.is_node[seen]]):
        assert torch.equal(torch.bincount(sights, minlength=len(batch.x))[batch.readers], graphs.sizes)


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=st.integers(0, 99), chosen=st.lists(st.integers(0))
)
def test_a_batch_of_some_is_that_part_of_the_whole(sizes: list[int], seed: int, chosen: list[int]) -> None:
    graphs = random_graphs(sizes, seed)
    numbers = [i % len(graphs) for i in chosen] or [0]
    encoder = Encoder.of(graphs, walks=2)
    batch, alone = encoder.encode(graphs).batch(numbers), encoder.encode(graphs[numbers]).batch(range(len(numbers)))
    for name in ("x", "positions", "eigenvectors", "links", "ptr"):
        assert torch.equal(getattr(batch, name), getattr(alone, name)), name
    for found, expected in zip(batch.edges.arrays, alone.edges.arrays, strict=True):
        assert torch.equal(found, expected)
    pairs = torch.stack([batch.edges.indices.long(), batch.edges.targets()])
    built = Edges.build(pairs, len(batch.x), self_loops=False)  # ascending rows, undirected
    for found, expected in zip(batch.edges.arrays, built.arrays, strict=True):
        assert torch.equal(found, expected) and found.dtype == expected.dtype


def test_a_value_never_seen_is_no_column() -> None:
    graphs = random_graphs(SIZES)
    encoder = Encoder.of(graphs, walks=1)
    other = Categories(torch.tensor([0, 1, -1, 2] + [1] * 10), ("N", "Xe", "C"))
    x = encoder.encode(replace(graphs, node_labels=(other,))).batch([0]).x[1:, : len(VALUES)]
    assert x.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_labels_by_name_and_the_values_that_occur() -> None:
    label = Categories(torch.tensor([2, 0, -1, 2]), VALUES)
    assert label.named() == [VALUES[2], VALUES[0], None, VALUES[2]]
    assert label.occurring() == (VALUES[0], VALUES[2]) and label[torch.tensor([2])].occurring() == ()


def test_columns_are_of_the_values_that_occur() -> None:
    graphs = random_graphs((3,))
    label = Categories(torch.tensor([2, 0, -1]), VALUES)
    assert Encoder.of(replace(graphs, node_labels=(label,))).node_values == (("C", "O"),)
    nothing = replace(graphs, node_labels=(label[torch.tensor([2, 2, 2])],))
    encoder = Encoder.of(nothing)
    assert encoder.node_values == ((),) and encoder.encode(nothing).batch([0]).x.shape == (4, encoder.features)


def test_graphs_of_another_kind_are_refused() -> None:
    graphs = random_graphs(SIZES)
    encoder, label = Encoder.of(graphs), graphs.node_labels[0]
    for changes, said in [
        ({"node_labels": (label, label)}, "2 node labels, not 1"),
        ({"edge_labels": ()}, "0 edge labels, not 1"),
        ({"x": graphs.x[:, :1]}, "1 node attributes, not 2"),
        ({"edge_attr": graphs.edge_attr[:, :0]}, "0 edge attributes, not 1"),
    ]:
        with pytest.raises(InputError, match=f"graphs has {said} as fitted on"):
            encoder.encode(replace(graphs, **changes))


def test_graphs_without_an_edge_are_of_any_kind_of_edges() -> None:
    graphs = random_graphs(SIZES)
    encoder, none = Encoder.of(graphs, walks=3), torch.zeros(2, 0, dtype=torch.int64)
    lonely = GraphSet.build(torch.tensor([1]), none, graphs.x[4:5], [label[4:5] for label in graphs.node_labels])
    alone, among = encoder.encode(lonely).batch([0]), encoder.encode(graphs).batch([1])
    assert torch.equal(alone.x, among.x) and torch.equal(alone.links, among.links)


def test_an_encoder_comes_back_from_json() -> None:
    graphs = random_graphs(SIZES)
    numbers = Categories(graphs.node_labels[0].codes, (3, 5, 8))
    encoder = Encoder.of(replace(graphs, node_labels=(*graphs.node_labels, numbers)), walks=3, eigenvectors=2)
    assert Encoder.from_dict(json.loads(json.dumps(asdict(encoder)))) == encoder
    encoder = replace(encoder, carried=((("mass", 2), ("ring", None)), ()))
    assert Encoder.from_dict(json.loads(json.dumps(asdict(encoder)))) == encoder
