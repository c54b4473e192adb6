import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from attractor.data.graphs import generated
from attractor.data.graphs.generated import power_law_graph
from attractor.errors import InputError


def test_sizes_kinds_and_the_share_of_anomalies():
    graph = power_law_graph(3001, 20000, 7, anomalies=0.05)
    (index,) = graph.relations.values()
    assert graph.x.shape == (3001, 7) and graph.x.dtype == torch.float32
    assert index.shape == (2, 20000) and index.dtype == torch.int32
    assert graph.y.sum() == round(0.05 * 3001) and not graph.directed
    (edges,) = graph.edges()
    assert 0.8 * 20000 < (edges.count - edges.nodes) / 2 <= 20000


@pytest.mark.parametrize("exponent", [2.2, 2.5, 3.0])
def test_degrees_follow_the_power_law(exponent):
    """``P(degree > d) ~ d^(1 - exponent)``, fitted between degrees that are neither the least nor the few largest."""
    graph = power_law_graph(200_000, 2_000_000, 1, exponent=exponent)
    degrees = graph.relations["generated"].flatten().bincount(minlength=graph.nodes).sort(descending=True).values
    places = torch.logspace(2, 4, 20, dtype=torch.float64).long()  # of 200,000
    y, x = places.double().log(), degrees[places].double().log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    assert abs(slope - (1 - exponent)) < 0.1
    assert degrees.sum() == 4_000_000


def test_the_seed_decides_and_the_number_of_threads_does_not():
    threads = torch.get_num_threads()
    first = power_law_graph(2000, 9000, 3, seed=1)
    torch.set_num_threads(1)
    again, other = power_law_graph(2000, 9000, 3, seed=1), power_law_graph(2000, 9000, 3, seed=2)
    torch.set_num_threads(threads)
    for name in "x", "y":
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))
    assert torch.equal(first.relations["generated"], again.relations["generated"])
    assert not torch.equal(first.relations["generated"], other.relations["generated"])


def test_features_and_neighbours_both_tell_and_neither_tells_all():
    graph = power_law_graph(20_000, 200_000, 10, anomalies=0.1)
    (edges,) = graph.edges()
    u, v = edges.indices.long(), edges.targets()
    mean = torch.zeros_like(graph.x).index_add(0, v, graph.x[u]) / edges.degrees().clamp(min=1)[:, None]
    away = (graph.x - mean).square()  # from the neighbours: an anomaly's are of every community
    alone, together = auc(graph.x, graph.y), auc(torch.cat([graph.x, away], dim=1), graph.y)
    assert 0.6 < alone < 0.9
    assert alone + 0.05 < together < 0.99


def test_anomalies_hide_among_normal_nodes_and_have_no_other_degrees():
    graph = power_law_graph(50_000, 500_000, 1, anomalies=0.1, exponent=3.0)
    source, target = graph.relations["generated"].long()
    ends = graph.y[torch.cat([target, source])][graph.y[torch.cat([source, target])] == 1]
    assert ends.double().mean() < 0.13
    degrees = torch.bincount(torch.cat([source, target]), minlength=graph.nodes).double()
    assert float(degrees[graph.y == 1].mean()) == pytest.approx(float(degrees[graph.y == 0].mean()), rel=0.1)


def test_blocks_do_not_show(monkeypatch):
    monkeypatch.setattr(generated, "BLOCK", 1000)
    graph = power_law_graph(2500, 5500, 2)
    index = graph.relations["generated"]
    assert graph.nodes == 2500 and len(index.T.unique(dim=0)) > 5000
    assert index.min() >= 0 and index.max() < 2500 and (graph.x != 0).all()


def auc(x: torch.Tensor, y: torch.Tensor) -> float:
    half = len(x) // 2
    model = LogisticRegression(max_iter=500, class_weight="balanced").fit(x[:half].numpy(), y[:half].numpy())
    return roc_auc_score(y[half:].numpy(), model.decision_function(x[half:].numpy()))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"nodes": 0}, "nodes must be above 0"),
        ({"edges": 0}, "edges must be above 0"),
        ({"features": 0}, "features must be above 0"),
        ({"anomalies": 1.0}, "anomalies must be a share"),
        ({"exponent": 2.0}, "exponent must be above 2"),
    ],
)
def test_bad_input_is_named(wrong, named):
    with pytest.raises(InputError, match=named):
        power_law_graph(**{"nodes": 10, "edges": 20, "features": 2, **wrong})
