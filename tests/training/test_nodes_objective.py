"""Training on nodes: the losses are what they say, samples agree with the whole, a killed run resumes to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from attractor.data.graphs.generated import power_law_graph
from attractor.data.graphs.sampler import NeighbourSampler
from attractor.errors import InputError
from attractor.models import NodeET, NodeETConfig
from attractor.training.loop import train
from attractor.training.nodes import (
    CAUTION,
    PARTS,
    SPARSITY,
    HiddenFeatures,
    Labels,
    NodeObjective,
    Nodes,
    hidden_error,
    reconstruction_error,
    turns,
)
from attractor.training.schedule import Schedule
from interrupted import assert_resumes_to_the_bit

GRAPH = power_law_graph(200, 500, 5, anomalies=0.2, seed=3)
SCHEDULE = Schedule(4, 40, lr=1e-2, weight_decay=0.0, precision="fp32", checkpoint_seconds=0)
pytestmark = pytest.mark.usefixtures("one_thread")


def nodes(sampler: NeighbourSampler | None = None) -> Nodes:
    return Nodes(GRAPH.x, GRAPH.edges(), torch.arange(0, 140), torch.arange(140, 200), sampler)


def objective(kind: str, data: Nodes | None = None, dropout: float = 0.3) -> NodeObjective:
    torch.manual_seed(0)
    model = NodeET(NodeETConfig(5, dim=16, heads=2, head_dim=8, memories=8, dropout=dropout))
    model.standardize.fit(GRAPH.x)
    data = data or nodes()
    return Labels(data, GRAPH.y, model) if kind == "labels" else HiddenFeatures(data, model)


def everything() -> NeighbourSampler:
    return NeighbourSampler(GRAPH.edges(), (1000,))


def test_labels_weigh_anomalies_by_how_rare_they_are_in_training() -> None:
    run, batch = objective("labels").eval(), torch.tensor([3, 99, 7, 60, 61, 62])
    _, terms = run(batch)
    y = GRAPH.y[:140]
    weight = torch.tensor([1.0, (y == 0).sum() / (y == 1).sum()])
    expected = F.cross_entropy(run.model(GRAPH.x, GRAPH.edges())[batch], y[batch], weight)
    torch.testing.assert_close(terms["cross_entropy"], expected)


def test_what_is_used_has_its_price_and_less_the_more_anomalies_are_known() -> None:
    run, batch = objective("labels").eval(), torch.arange(6)
    loss, terms = run(batch)
    features = run.model.embedding.weight.square().sum(dim=0).sqrt().sum()
    ends = run.model.head[1].weight[:, run.model.config.dim :].square().sum(dim=0).sqrt().sum()
    rarer = GRAPH.y[:140].sum()
    torch.testing.assert_close(loss, terms["cross_entropy"] + SPARSITY / rarer**0.5 * features + CAUTION / rarer * ends)


def test_labels_outside_training_and_validation_do_not_act() -> None:
    losses = []
    for strange in (0, 1):
        y = GRAPH.y.clone()
        y[140:] = strange
        losses.append(Labels(nodes(), y, objective("labels").model).eval()(torch.arange(140))[0])
    assert torch.equal(*losses)


def test_a_sample_of_all_neighbours_around_all_nodes_is_the_whole_graph() -> None:
    all_nodes = replace(nodes(), train=torch.arange(200))
    sampled = replace(all_nodes, sampler=everything())
    batch = torch.randperm(200)
    whole, part = (objective("labels", data).eval()(batch)[0] for data in (all_nodes, sampled))
    torch.testing.assert_close(part, whole)


@pytest.mark.parametrize("kind", ["labels", "hidden"])
@pytest.mark.parametrize("sampled", [False, True])
def test_training_gets_better_and_keeps_the_best_weights(
    kind: str, sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = objective(kind, nodes(NeighbourSampler(GRAPH.edges(), (5, 3)) if sampled else None), dropout=0.0)
    figures, remember = [], run.remember
    monkeypatch.setattr(run, "remember", lambda figure: (figures.append(figure), remember(figure)))
    history = train(run, replace(SCHEDULE, epochs=12))
    assert history[-1]["train_loss"] < 0.9 * history[0]["train_loss"]
    assert len(figures) == 12 and float(run.best_figure) == max(figures) > figures[0]
    run.model.load_state_dict(run.best.state_dict())
    run.eval().validate()
    assert figures[-1] == pytest.approx(max(figures[:-1]))


@pytest.mark.parametrize("kind", ["labels", "hidden"])
@pytest.mark.parametrize("sampled", [False, True])
def test_a_killed_run_resumes_to_the_bit(
    kind: str, sampled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> NodeObjective:
        return objective(kind, nodes(NeighbourSampler(GRAPH.edges(), (5, 3)) if sampled else None))

    assert_resumes_to_the_bit(start, SCHEDULE, tmp_path, monkeypatch)


def test_another_graph_or_network_is_not_resumed(tmp_path: Path) -> None:
    train(objective("labels"), SCHEDULE, tmp_path)
    other = replace(nodes(), edges=power_law_graph(200, 500, 5, seed=4).edges())
    with pytest.raises(InputError, match="data"):
        train(objective("labels", other), SCHEDULE, tmp_path, resume=True)
    with pytest.raises(InputError, match="network"):
        train(objective("labels", dropout=0.1), SCHEDULE, tmp_path, resume=True)


def test_other_labels_or_none_are_not_resumed(tmp_path: Path) -> None:
    train(objective("labels"), SCHEDULE, tmp_path)
    others = Labels(nodes(), 1 - GRAPH.y, objective("labels").model)
    for other in (others, objective("hidden")):
        with pytest.raises(InputError, match="data"):
            train(other, SCHEDULE, tmp_path, resume=True)


def test_every_feature_has_its_turn_and_neighbours_differ() -> None:
    x = torch.randn(400, 9).round(decimals=1)
    turn = turns(x)
    assert turn.shape == x.shape and set(turn.unique().tolist()) == set(range(PARTS))
    starts = torch.bincount(turn[:, 0], minlength=PARTS)
    assert starts.min() > 400 / PARTS / 2
    assert ((turn - turn[:, :1]) % PARTS == torch.arange(9) % PARTS).all()
    order = torch.randperm(400)
    assert torch.equal(turns(x[order]), turn[order])


def test_the_error_is_of_what_is_hidden_and_as_it_is_foretold_without_it() -> None:
    run, x, edges = objective("hidden").eval(), GRAPH.x, GRAPH.edges()
    hidden = torch.rand_like(x) < 0.3
    error = hidden_error(run.model, x, edges, hidden)
    foretold = run.model.reconstruct(run.model.hide(x, hidden), edges)
    assert (error[~hidden] == 0).all()
    torch.testing.assert_close(error[hidden], (foretold - run.model.standardize(x)).square()[hidden])
    far = torch.where(hidden, 1e6, x)
    assert hidden_error(run.model, far, edges, hidden).max() < 200  # an outlier is told by 5 deviations, no more


def test_reconstruction_error_hides_every_feature_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run, seen = objective("hidden").eval(), []
    original = run.model.hide
    monkeypatch.setattr(run.model, "hide", lambda x, hidden: seen.append(hidden) or original(x, hidden))
    error = reconstruction_error(run.model, GRAPH.x, GRAPH.edges())
    assert error.shape == (200,) and (error > 0).all()
    assert (torch.stack(seen).sum(dim=0) == 1).all()
