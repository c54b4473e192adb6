"""What the benchmark of graph classification computes besides learning: statistics, columns, summary."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch

from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.data.graphs.splits import Split


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """``benchmarks/`` in reach."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")


@pytest.fixture
def benchmark(folder: None) -> ModuleType:
    """``benchmarks/graphs_baselines.py``."""
    return importlib.import_module("graphs_baselines")


@pytest.fixture
def graphs() -> GraphSet:
    """A triangle with a tail and a lone node, then two nodes without an edge."""
    edges = torch.tensor([[0, 1, 2, 2], [1, 2, 0, 3]])
    x = torch.tensor([[1.0], [3.0], [5.0], [7.0], [9.0], [100.0], [200.0]])
    labels = Categories(torch.tensor([0, 0, 1, 1, 1, 0, -1]), (5, 8))
    bonds = Categories(torch.tensor([0, 0, 0, 1]), ("double", "single"))
    return GraphSet.build(torch.tensor([5, 2]), edges, x, [labels], None, [bonds], Categories.of([-1, 1]))


def test_statistics(benchmark: ModuleType, graphs: GraphSet) -> None:
    first, second = benchmark.statistics(graphs)
    nodes, edges, density, components, triangles, largest_degree = first[:6].tolist()
    assert (nodes, edges, components, triangles, largest_degree) == (5, 4, 2, 1, 3)
    assert density == pytest.approx(4 / 10)
    assert second[:6].tolist() == [2, 0, 0, 2, 0, 0]
    attribute, degree, clustering = first[6:9].tolist()
    assert (attribute, degree) == (5, pytest.approx(8 / 5))
    assert clustering == pytest.approx((1 + 1 + 1 / 3) / 5)
    assert first[-2:].tolist() == [0.75, 0.25]  # of the bonds
    assert second[-2:].tolist() == [0, 0]


def test_statistics_do_not_change_with_the_company(benchmark: ModuleType, graphs: GraphSet) -> None:
    assert torch.equal(benchmark.statistics(graphs[[1, 0, 1]]), benchmark.statistics(graphs)[[1, 0, 1]])


def test_columns_know_training_graphs_alone(benchmark: ModuleType, graphs: GraphSet) -> None:
    numbers = benchmark.numeric(graphs, torch.tensor([0]))
    scaled = numbers.x[:, 0]
    assert scaled[:5].mean() == pytest.approx(0, abs=1e-6) and scaled[:5].std(correction=0) == pytest.approx(1)
    assert scaled[5] > 10
    assert numbers.x[:, 1:].tolist() == [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [1, 0], [0, 0]]
    assert numbers.edge_attr.shape == (8, 2) and (numbers.edge_attr.sum(dim=1) == 1).all()


def test_degrees_stand_in_for_features(benchmark: ModuleType) -> None:
    path = GraphSet.build(torch.tensor([3]), torch.tensor([[0, 1], [1, 2]]))
    assert benchmark.numeric(path, torch.tensor([0])).x.argmax(dim=1).tolist() == [1, 2, 1]


@pytest.mark.parametrize("method", ["gin", "gcn"])
def test_network_answers_alike_in_any_batch(benchmark: ModuleType, method: str) -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(3, 7, (8,), generator=generator)
    starts = sizes.cumsum(0) - sizes
    edges = torch.stack([starts, starts + 1])
    y = Categories.of([0, 1] * 4)
    graphs = GraphSet.build(sizes, edges, torch.randn(int(sizes.sum()), 2, generator=generator), y=y)
    fold = Split(torch.arange(4), torch.tensor([4, 5]), torch.tensor([6, 7]))
    function, choices = benchmark.BASELINES[method]
    predict, kept = function(graphs, fold, 0, 2, **choices[0])
    together = predict(torch.arange(8))
    assert together.shape == (8, 2) and kept in ([1], [2])
    torch.testing.assert_close(torch.cat([predict(torch.tensor([i])) for i in range(8)]), together)


def test_quality_orders_by_accuracy_then_loss(benchmark: ModuleType) -> None:
    y = torch.tensor([0, 1])
    sure, unsure = (benchmark.quality(torch.tensor([[p, 1 - p], [1 - p, p]]), y) for p in (0.9, 0.6))
    half = benchmark.quality(torch.tensor([[0.99, 0.01], [0.51, 0.49]]), y)
    assert sure > unsure > half and half[0] == 0.5


def test_summary_says_which_folds_are_done(folder: None) -> None:
    runs = [
        {"method": "gin", "fold": fold, "test_accuracy": accuracy, "cpu_seconds": 2.0}
        for fold, accuracy in [(3, 0.5), (1, 0.7)]
    ]
    row = importlib.import_module("graphs").summarise(runs)
    assert list(row) == ["gin"] and row["gin"]["folds"] == [1, 3] and row["gin"]["cpu_seconds"] == 2
    assert row["gin"]["accuracy"] == pytest.approx({"mean": 0.6, "std": 0.02**0.5})
