"""What a node's neighbours and memories add is its energy, and nothing else is."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from attractor.data.graphs.node_graph import NodeGraph
from attractor.energy import Context
from attractor.errors import InputError
from attractor.files import json_text
from attractor.models import NodeET, NodeETConfig
from attractor.scoring.conformal import ConformalCalibrator
from attractor.tasks import NodeAnomalyDetector
from attractor.tasks.nodes.explanation import Rest, explain_nodes
from attractor.tasks.nodes.shares import energy_shares

HUB, LEAF, ALONE = 0, 1, 39


def make_graph(directed: bool = False) -> NodeGraph:
    """A hub that sees all but the last node, which sees nobody; a second relation with few edges, one there twice."""
    star = torch.stack([torch.arange(1, 39), torch.zeros(38, dtype=torch.int64)])
    few = torch.tensor([[3, 4, 4, 0], [0, 5, 5, 7]])
    return NodeGraph(torch.randn(40, 3), {"star": star, "few": few}, directed=directed)


def make_member(features: int, relations: int, seed: int) -> NodeET:
    torch.manual_seed(seed)
    sizes = {"dim": 8, "heads": 2, "head_dim": 4, "memories": 6, "steps": 3}
    model = NodeET(NodeETConfig(features=features, relations=relations, **sizes)).double().eval()
    with torch.no_grad():
        model.energy.terms[-1].xi.normal_(std=0.5)
        model.energy.terms[0].beta.copy_(torch.tensor([0.3, 1.7]).view(2, 1, 1))
    return model


def make_detector(graph: NodeGraph, merged: bool = False, members: int = 2) -> SimpleNamespace:
    """What an explanation wants of a detector, in float64."""
    edges = graph.edges(merged)
    x = torch.cat([graph.x, *[e.degrees().double().log1p().unsqueeze(1) for e in edges]], dim=1).double()
    scores = np.linspace(0, 1, graph.nodes)
    return SimpleNamespace(
        members_=[make_member(x.shape[1], len(edges), seed) for seed in range(members)],
        inputs=lambda graph: (x, edges),
        decision_function=lambda graph: scores,
        relations_=sorted(graph.relations),
        calibrator_=ConformalCalibrator().fit(scores),
    )


@torch.no_grad()
def energies(detector, graph, node) -> torch.Tensor:
    """The node's energy in every state, mean of the members, from the energies themselves."""
    x, edges = detector.inputs(graph)
    rows = []
    for member in detector.members_:
        _, trace = member.evolve(member.tokens(x), edges, trace="tokens")
        context = Context(edges=edges)
        rows.append([member.energy.per_token(member.norm(state), context)[0, node] for state in trace.tokens])
    return torch.tensor(rows, dtype=torch.float64).mean(dim=0)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("node", [HUB, LEAF, ALONE])
def test_shares_add_up_to_the_energy(directed, merged, node):
    graph = make_graph(directed)
    detector = make_detector(graph, merged)
    (found,) = explain_nodes(detector, graph, [node], top=4)
    expected = energies(detector, graph, node)
    np.testing.assert_allclose(np.add(found.attention, found.memory), expected, rtol=0, atol=1e-9)
    named = sum(part.energy for part in (*found.neighbours, *found.memories))
    rest = found.other_neighbours.energy + found.other_memories.energy
    assert named + rest == pytest.approx(float(expected[-1]), abs=1e-9)
    assert found.energy == pytest.approx(float(expected[-1]), abs=1e-9)


def test_a_neighbours_share_is_its_attention_times_the_nodes_energy():
    """Against attention over the whole graph, as the energy itself maps it."""
    graph = make_graph()
    detector = make_detector(graph, members=1)
    (model,), (x, edges) = detector.members_, detector.inputs(graph)
    (shares,) = energy_shares([model], x, edges, [HUB])
    g = model.evolve(model.tokens(x), edges)[0].unsqueeze(0)
    for relation, attention in enumerate(model.energy.terms[:2]):
        p = attention.maps(g, Context(edges=edges))[0, :, edges[relation].targets() == HUB]  # (H, S)
        q, k = attention.queries_keys(g)
        seen = edges[relation].indices[edges[relation].targets() == HUB].long()
        lse = (q[0, :, HUB, None] * k[0][:, seen]).sum(-1).logsumexp(-1)
        expected = -(p * (lse / attention.beta.flatten()).unsqueeze(1)).sum(0)
        here = shares.relations == relation
        assert shares.sources[here].tolist() == seen.tolist()
        torch.testing.assert_close(shares.attention[-1, here], expected, rtol=0, atol=1e-9)
    h = model.energy.terms[-1].overlaps(g)[0, HUB]
    torch.testing.assert_close(shares.memory[-1, 0], -h.relu().square() / 2, rtol=0, atol=1e-9)


def test_the_largest_are_named_in_order_and_the_rest_counted():
    graph = make_graph()
    detector = make_detector(graph)
    few, all_of_them = (explain_nodes(detector, graph, [HUB], top=top)[0] for top in (4, 100))
    assert few.neighbours == all_of_them.neighbours[:4]
    assert few.memories == all_of_them.memories[:4]
    assert len(all_of_them.neighbours) == 38 + 2  # node 3 and 7 are there in both relations
    assert few.other_neighbours.count == 36
    assert few.other_neighbours.energy == pytest.approx(sum(n.energy for n in all_of_them.neighbours[4:]))
    assert all_of_them.other_neighbours == Rest(0, pytest.approx(0, abs=1e-12))
    for parts in (all_of_them.neighbours, all_of_them.memories):
        sizes = [abs(part.energy) for part in parts]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] > 0
    assert few.other_memories.count == 2 * 6 - 4
    assert {m.member for m in all_of_them.memories} == {0, 1}
    assert {n.relation for n in all_of_them.neighbours if n.node == 3} == {"few", "star"}


def test_a_member_counts_for_its_part_of_the_mean():
    graph = make_graph()
    both = make_detector(graph)
    each = [SimpleNamespace(**{**vars(both), "members_": [m]}) for m in both.members_]
    together, *alone = (explain_nodes(detector, graph, [LEAF], top=99)[0] for detector in (both, *each))
    assert together.members == 2
    assert together.energy == pytest.approx(sum(e.energy for e in alone) / 2)
    for neighbour in together.neighbours:
        shares = [
            n.energy
            for e in alone
            for n in e.neighbours
            if (n.node, n.relation) == (neighbour.node, neighbour.relation)
        ]
        assert neighbour.energy == pytest.approx(sum(shares) / 2)
    for memory in together.memories:
        (share,) = [m.energy for m in alone[memory.member].memories if m.memory == memory.memory]
        assert memory.energy == pytest.approx(share / 2)


def test_scores_ranks_and_features_are_the_nodes_own():
    graph = make_graph()
    detector = make_detector(graph)
    detector.members_[0].standardize.fit(detector.inputs(graph)[0])
    (found,) = explain_nodes(detector, graph, [HUB], top=3)
    assert (found.score, found.rank, found.p_value) == (0, 0, 1)
    for neighbour in found.neighbours:
        assert neighbour.score == pytest.approx(neighbour.node / 39)
        assert neighbour.rank == pytest.approx(neighbour.node / 40)
    x = detector.inputs(graph)[0].numpy()
    z = (x[HUB] - x.mean(0)) / x.std(0)
    names = ["feature 0", "feature 1", "feature 2", "log degree few", "log degree star"]
    order = np.argsort(-abs(z))[:3]
    assert [f.name for f in found.features] == [names[i] for i in order]
    assert [f.value for f in found.features] == pytest.approx(list(z[order]))
    assert found.features[0].name == "log degree star"
    (found,) = explain_nodes(detector, replace(graph, columns=("age", "sum", "share")), [HUB], top=5)
    assert {f.name for f in found.features} == {"age", "sum", "share", "log degree few", "log degree star"}


def test_several_nodes_in_one_descent_and_as_json():
    graph = make_graph()
    detector = make_detector(graph)
    embedded = []
    for member in detector.members_:
        member.embedding.register_forward_hook(lambda *_: embedded.append(1))
    both = explain_nodes(detector, graph, np.array([LEAF, ALONE]))
    assert len(embedded) == 2
    assert both == [*explain_nodes(detector, graph, [LEAF]), *explain_nodes(detector, graph, [ALONE])]
    assert both[1].neighbours == () and both[1].other_neighbours == Rest(0, 0)
    read = json.loads(json_text(asdict(both[0])))
    assert read["energy"] == both[0].energy
    assert read["neighbours"][0] == asdict(both[0].neighbours[0])


@pytest.mark.parametrize(("nodes", "top", "message"), [([3, 40], 10, "no node 40"), ([-1], 10, "-1"), ([0], 0, "top")])
def test_what_is_not_there_is_named(nodes, top, message):
    graph = make_graph()
    with pytest.raises(InputError, match=message):
        explain_nodes(make_detector(graph), graph, nodes, top)


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("relations", ["merged", "separate"])
def test_a_fitted_detectors_own_energy_is_explained(labels, relations):
    graph = make_graph()
    y = torch.arange(40) % 2 if labels else None
    detector = NodeAnomalyDetector(relations=relations, epochs=2, dim=8, members=2).fit(graph, y)
    scores = detector.decision_function(graph)
    for found in explain_nodes(detector, graph, [HUB, ALONE]):
        assert found.score == scores[found.node]
        assert {n.relation for n in found.neighbours} <= ({""} if relations == "merged" else {"few", "star"})
        if not labels:  # where the energy is a part of the score
            assert found.energy == pytest.approx(detector.figures(graph)["energy"][found.node], rel=1e-4)
