import time
from collections import Counter
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from attractor.data.graphs.sampler import NeighbourSampler
from attractor.energy import Context, Edges, EnergyAttention
from attractor.errors import InputError

EVERY = 10**9  # more neighbours than any node has


def dense(edges: Edges) -> torch.Tensor:
    pairs = torch.zeros(edges.nodes, edges.nodes, dtype=torch.bool)
    pairs[edges.targets(), edges.indices.long()] = True
    return pairs


def hops(rows: torch.Tensor, seeds: int) -> torch.Tensor:
    """How far each node is from the seeds, along the rows."""
    far = torch.full((len(rows),), -1)
    far[:seeds], reached = 0, 0
    while (new := rows[far == reached].any(dim=0) & (far < 0)).any():
        reached += 1
        far[new] = reached
    return far


def random_graph(nodes: int, edges: int, **kind: bool) -> Edges:
    return Edges.build(torch.randint(nodes, (2, edges)), nodes, **kind)


def star(leaves: int) -> Edges:
    index = torch.stack([torch.zeros(leaves, dtype=torch.int64), torch.arange(leaves) + 1])
    return Edges.build(index, leaves + 1, self_loops=False)


@st.composite
def questions(draw):
    """Relations with repeated edges, self-loops and isolated nodes; fanouts; seeds."""
    nodes = draw(st.integers(1, 12))
    node = st.integers(0, nodes - 1)
    directed, loops = draw(st.booleans()), draw(st.booleans())
    dtype = draw(st.sampled_from([torch.int32, torch.int64]))
    lists = draw(st.lists(st.lists(st.tuples(node, node), max_size=40), min_size=1, max_size=2))
    indices = [torch.tensor(pairs, dtype=dtype).reshape(-1, 2).T.contiguous() for pairs in lists]
    relations = [Edges.build(index, nodes, directed=directed, self_loops=loops) for index in indices]
    fanouts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    seeds = draw(st.lists(node, min_size=1, unique=True))
    return relations, fanouts, torch.tensor(seeds, dtype=dtype), directed, loops


@settings(max_examples=60)
@given(questions(), st.integers(0, 3))
def test_a_sample_is_a_part_of_the_graph_with_the_fanouts_asked_for(question, seed):
    relations, fanouts, seeds, directed, loops = question
    sampler = NeighbourSampler(relations, fanouts)
    sample = sampler.sample(seeds, seed)
    nodes = sample.nodes
    assert sample.seeds == len(seeds) and nodes.dtype == torch.int64 and torch.equal(nodes[: len(seeds)], seeds.long())
    assert len(nodes.unique()) == len(nodes)

    drawn = [dense(edges).fill_diagonal_(False) for edges in sample.edges]
    far = hops(torch.stack(drawn).any(dim=0), len(seeds))
    assert (far >= 0).all()
    for whole, edges, pairs in zip(relations, sample.edges, drawn, strict=True):
        assert not (dense(edges) & ~dense(whole)[nodes][:, nodes]).any()
        assert (dense(edges).diagonal() == loops).all()
        assert torch.equal(dense(edges).T, dense(edges.transposed)) and (edges.reverse is not None) == directed
        wanted = torch.tensor([*fanouts, 0])[far.clamp(max=len(fanouts))].minimum(whole.degrees()[nodes] - int(loops))
        if directed:
            assert torch.equal(pairs.sum(dim=1), wanted)
        else:  # a row also has those that drew it
            seen = pairs.sum(dim=1)
            assert (seen[: len(seeds)] >= wanted[: len(seeds)]).all()
            assert seen.sum() <= 2 * whole.degrees()[nodes].clamp(max=max(fanouts)).sum()

    again = sampler.sample(seeds, seed)  # of the same sampler: the first left nothing behind
    assert torch.equal(again.nodes, nodes)
    assert all(torch.equal(dense(a), dense(b)) for a, b in zip(again.edges, sample.edges, strict=True))


@pytest.mark.parametrize(("leaves", "fanout"), [(7, 1), (6, 3), (5, 4)])
def test_every_set_of_neighbours_is_as_likely(leaves, fanout):
    """Hubs 3, 11, 19, ... of separate stars, so that a hub stands in the middle of its own row."""
    stars = 4000
    offsets = 8 * torch.arange(stars)
    others = torch.tensor([i for i in range(8) if i != 3][:leaves])
    index = torch.stack([(offsets[:, None] + others).flatten(), (offsets + 3).repeat_interleave(leaves)])
    sample = NeighbourSampler([Edges.build(index, 8 * stars)], [fanout]).sample(offsets + 3)
    edges = sample.edges[0]
    rows = sample.nodes[edges.indices[: stars * (fanout + 1)].long()].reshape(stars, -1) % 8
    assert torch.equal(edges.indptr[: stars + 1], (fanout + 1) * torch.arange(stars + 1)) and (rows == 3).sum() == stars
    counts = Counter(tuple(sorted(set(row) - {3})) for row in rows.tolist())
    sets = list(combinations(others.tolist(), fanout))
    assert set(counts) <= set(sets)
    expected = stars / len(sets)
    statistic = sum((counts[s] - expected) ** 2 / expected for s in sets)
    assert chi2.ppf(0.001, len(sets) - 1) < statistic < chi2.ppf(0.999, len(sets) - 1)


@pytest.mark.parametrize("kind", [{}, {"self_loops": False}, {"directed": True}])
def test_all_nodes_and_all_neighbours_are_the_graph_itself(kind):
    whole = random_graph(60, 200, **kind)
    everyone = torch.arange(60)
    ordered = NeighbourSampler([whole], [EVERY]).sample(everyone).edges[0]
    assert all(map(torch.equal, ordered.arrays, whole.arrays))
    assert all(map(torch.equal, ordered.transposed.arrays, whole.transposed.arrays))
    energy, g = EnergyAttention(8, 2, 4).double(), torch.randn(1, 60, 8, dtype=torch.float64)
    sample = NeighbourSampler([whole], [EVERY]).sample(torch.randperm(60))
    part, context = g[:, sample.nodes], Context(edges=sample.edges)
    full = Context(edges=(whole,))
    torch.testing.assert_close(energy.energy(part, context), energy.energy(g, full))
    torch.testing.assert_close(energy.force(part, context), energy.force(g, full)[:, sample.nodes])


def test_the_energy_of_seeds_with_all_their_neighbours_is_exact():
    whole = random_graph(200, 500)
    energy, g = EnergyAttention(8, 2, 4).double(), torch.randn(1, 200, 8, dtype=torch.float64)
    sample = NeighbourSampler([whole], [EVERY]).sample(torch.tensor([5, 190, 7]))
    assert 3 < len(sample.nodes) < 100
    found = energy.per_token(g[:, sample.nodes], Context(edges=sample.edges))[:, :3]
    torch.testing.assert_close(found, energy.per_token(g, Context(edges=(whole,)))[:, [5, 190, 7]])


def test_an_epoch_has_every_seed_once_in_an_order_of_its_own():
    sampler, seeds = NeighbourSampler([random_graph(100, 400)], [3, 2]), torch.arange(10, 90)
    epochs = [list(sampler.batches(seeds, 32, seed=1, epoch=epoch)) for epoch in (0, 0, 1)]
    assert [sample.seeds for sample in epochs[0]] == [32, 32, 16]
    orders = [torch.cat([sample.nodes[: sample.seeds] for sample in epoch]) for epoch in epochs]
    assert all(torch.equal(order.sort().values, seeds) for order in orders)
    assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])
    assert all(torch.equal(a.nodes, b.nodes) for a, b in zip(epochs[0], epochs[1], strict=True))
    assert not torch.equal(sampler.sample(seeds, 1).nodes, sampler.sample(seeds, 2).nodes)


def test_the_number_of_threads_does_not_show():
    sampler, before = NeighbourSampler([random_graph(3000, 40000)], [10, 5]), torch.get_num_threads()
    samples = []
    for threads in 2, 1:
        torch.set_num_threads(threads)
        samples.append(sampler.sample(torch.arange(200), 4))
    torch.set_num_threads(before)
    assert torch.equal(samples[0].nodes, samples[1].nodes)
    assert torch.equal(samples[0].edges[0].indices, samples[1].edges[0].indices)


def test_neither_the_degree_nor_the_size_of_the_graph_costs_time():
    fastest = {}
    for leaves in 100, 1_000_000:
        sampler, times = NeighbourSampler([star(leaves)], [15]), []
        for seed in range(30):
            start = time.thread_time()
            sample = sampler.sample(torch.tensor([0]), seed)
            times.append(time.thread_time() - start)
        assert sample.edges[0].degrees().tolist() == [15] + [1] * 15
        fastest[leaves] = min(times)
    assert fastest[1_000_000] < 3 * fastest[100]


def test_bad_input_is_named():
    whole = random_graph(10, 20)
    with pytest.raises(InputError, match=r"the same nodes.*\[10, 11\]"):
        NeighbourSampler([whole, random_graph(11, 20)], [3])
    with pytest.raises(InputError, match="at least one"):
        NeighbourSampler([], [3])
    for fanouts in (), (3, 0):
        with pytest.raises(InputError, match="fanouts"):
            NeighbourSampler([whole], fanouts)
    sampler = NeighbourSampler([whole], [3])
    for seeds, what in (
        (torch.tensor([2, 10]), "node 10"),
        (torch.tensor([-1, 2]), "node -1"),
        (torch.tensor([4, 2, 4]), "node 4 more than once"),
        (torch.ones(10, dtype=torch.bool), "torch.bool"),
        (torch.tensor([], dtype=torch.int64), "shape"),
        (torch.tensor([[1, 2]]), "shape"),
    ):
        with pytest.raises(InputError, match=what):
            sampler.sample(seeds)
