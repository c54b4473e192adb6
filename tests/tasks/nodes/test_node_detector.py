"""The detector of odd nodes a user holds: learns with labels and without, scores any graph exactly, saves, refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor

from attractor.data.graphs.generated import power_law_graph
from attractor.data.graphs.node_graph import NodeGraph
from attractor.errors import InputError
from attractor.tasks import NodeAnomalyDetector
from foreign_folders import assert_refuses_a_mixture, assert_refuses_foreign_files
from interrupted import resumed_fit
from refusals import refusal

GRAPH = power_law_graph(300, 700, 5, anomalies=0.2, seed=1)
UNKNOWN = [-1] * 300
LABELS = [None, UNKNOWN]  # with, without
TINY = {"dim": 16, "epochs": 2, "members": 1}
TWO = {**TINY, "members": 2}


@pytest.fixture(scope="module")
def detectors() -> list[NodeAnomalyDetector]:
    """One fitted with labels, one without."""
    return [NodeAnomalyDetector(**TINY).fit(GRAPH, y) for y in LABELS]


def two_relations() -> NodeGraph:
    edges = GRAPH.relations["generated"]
    return replace(GRAPH, relations={"b": edges[:, :300], "a": edges[:, 300:]})


def neighbours(graph: NodeGraph, names: list[str]) -> Tensor:
    """How many other nodes every node is joined to."""
    joined = torch.zeros(graph.nodes, graph.nodes, dtype=torch.bool)
    for source, target in torch.cat([graph.relations[name] for name in names], dim=1).T.tolist():
        joined[source, target] = joined[target, source] = source != target
    return joined.sum(dim=1)


def grown(graph: NodeGraph, count: int = 20) -> NodeGraph:
    """With more nodes, joined among themselves."""
    more = torch.randint(graph.nodes, graph.nodes + count, (2, 3 * count))
    edges = torch.cat([graph.relations["generated"].long(), more], dim=1)
    return NodeGraph(torch.cat([graph.x, torch.randn(count, graph.x.shape[1])]), {"generated": edges})


def renumbered(graph: NodeGraph, order: Tensor) -> NodeGraph:
    where = torch.empty_like(order)
    where[order] = torch.arange(len(order))
    return NodeGraph(graph.x[order], {name: where[edges.long()] for name, edges in graph.relations.items()})


def test_planted_anomalies_are_found_on_nodes_that_neither_train_nor_validate() -> None:
    graph = power_law_graph(600, 1500, 5, anomalies=0.2, seed=1)
    graph.x[:, 0] += 2 * graph.y
    fitted = NodeAnomalyDetector(dim=32, epochs=40, members=1).fit(graph, train=range(300), validation=range(300, 400))
    assert fitted.split_.test.tolist() == list(range(400, 600))
    assert fitted.score(graph, nodes=fitted.split_.test) > 0.8
    p = fitted.predict_proba(graph)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(p[:, 1], fitted.decision_function(graph))
    decisions = fitted.predict(graph)
    np.testing.assert_array_equal(decisions, p[:, 1] > fitted.threshold_)
    assert decisions[graph.y == 1].mean() > decisions[graph.y == 0].mean() + 0.3


def test_without_labels_a_node_whose_features_are_torn_stands_out() -> None:
    graph = power_law_graph(500, 1200, 6, seed=2)
    x = graph.x.clone()
    x[:, 3:] = x[:, :3] + 0.1 * torch.randn(500, 3)  # what can be foretold
    torn = torch.arange(0, 500, 20)
    x[torn, 3:] = -x[torn, :3]
    odd = torch.zeros(500, dtype=torch.int64)
    odd[torn] = 1
    fitted = NodeAnomalyDetector(dim=32, epochs=60, members=1).fit((x, graph.relations))
    assert not fitted.supervised_
    assert fitted.score((x, graph.relations), odd) > 0.75


@pytest.mark.parametrize("which", [0, 1])
def test_scores_do_not_depend_on_numbering_nor_on_what_is_far(detectors: list[NodeAnomalyDetector], which: int) -> None:
    detector, order = detectors[which], torch.randperm(GRAPH.nodes)
    scores = detector.decision_function(GRAPH)
    assert scores.shape == (300,) and scores.dtype == np.float64 and scores.std() > 0
    np.testing.assert_allclose(detector.decision_function(renumbered(GRAPH, order)), scores[order], atol=1e-4)
    np.testing.assert_allclose(detector.decision_function(grown(GRAPH))[:300], scores, atol=1e-4)
    np.testing.assert_array_equal(detector.decision_function(GRAPH), scores)  # no dropout


@pytest.mark.parametrize("which", [0, 1])
def test_new_edges_and_an_isolated_node_need_no_fitting(detectors: list[NodeAnomalyDetector], which: int) -> None:
    edges = torch.cat([GRAPH.relations["generated"], torch.tensor([[7] * 50, range(100, 150)]).int()], dim=1)
    changed = detectors[which].decision_function((GRAPH.x, edges))
    assert changed[7] != detectors[which].decision_function(GRAPH)[7]
    lonely = NodeGraph(torch.zeros(1, 5), {"generated": torch.empty(2, 0, dtype=torch.int64)})
    assert np.isfinite(detectors[which].decision_function(lonely)).all()


def test_inputs_are_features_and_degrees() -> None:
    graph = two_relations()
    for relations, parts in (("merged", [["a", "b"]]), ("separate", [["a"], ["b"]])):
        count = len(parts)
        fitted = NodeAnomalyDetector(relations=relations, **TINY).fit(graph)
        x, edges = fitted.inputs(graph)
        assert x.shape == (300, 5 + count) and len(edges) == count
        assert torch.equal(x[:, :5].cpu(), graph.x)
        expected = torch.stack([neighbours(graph, names) for names in parts], dim=1)
        torch.testing.assert_close(x[:, 5:].cpu(), expected.float().log1p())
        assert fitted.members_[0].config.features == 5 + count
    assert fitted.relations_ == ["a", "b"]
    with pytest.raises(InputError, match="relations generated, not a, b"):
        fitted.predict(GRAPH)


@pytest.mark.parametrize("y", LABELS)
def test_a_saved_detector_scores_as_before(tmp_path: Path, y: list[int] | None) -> None:
    fitted = NodeAnomalyDetector(relations="separate", **TWO).fit(two_relations(), y)
    loaded = NodeAnomalyDetector.load(fitted.save(tmp_path / "saved"))
    files = sorted(path.name for path in (tmp_path / "saved").iterdir())
    assert files == ["calibration.json", "config.json", "model.safetensors"]
    for use in (NodeAnomalyDetector.decision_function, NodeAnomalyDetector.predict):
        np.testing.assert_array_equal(use(loaded, two_relations()), use(fitted, two_relations()))
    assert loaded.supervised_ == fitted.supervised_ == (y is None)
    assert torch.equal(loaded.split_.validation, fitted.split_.validation)
    assert all(not member.training for member in loaded.members_)


def test_features_that_have_names_must_stand_where_they_stood_in_the_fit(tmp_path: Path) -> None:
    named = replace(GRAPH, columns=tuple("abcde"))
    fitted = NodeAnomalyDetector(**TINY).fit(named)
    loaded = NodeAnomalyDetector.load(fitted.save(tmp_path))
    for detector in (fitted, loaded):
        np.testing.assert_array_equal(detector.decision_function(named), fitted.decision_function(GRAPH))
        with pytest.raises(InputError, match="has the feature 'd' where 'c' was fitted on"):
            detector.decision_function(replace(GRAPH, columns=tuple("abdce")))


def test_weights_that_are_no_numbers_score_nobody(detectors: list[NodeAnomalyDetector]) -> None:
    broken = copy.deepcopy(detectors[0])
    with torch.no_grad():
        broken.members_[0].embedding.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="scores are not finite; the detector is broken"):
        broken.predict(GRAPH)


def test_members_are_averaged_and_start_apart(detectors: list[NodeAnomalyDetector]) -> None:
    fitted = NodeAnomalyDetector(**TWO).fit(GRAPH)
    both = []
    for member in list(fitted.members_):
        fitted.members_ = [member]
        both.append(fitted.decision_function(GRAPH))
    np.testing.assert_array_equal(both[0], detectors[0].decision_function(GRAPH))  # the first is the only one of one
    assert not np.allclose(both[0], both[1])
    fitted = NodeAnomalyDetector(**TWO).fit(GRAPH)
    np.testing.assert_allclose(fitted.decision_function(GRAPH), np.mean(both, axis=0))
    assert {row["member"] for row in fitted.history_} == {0, 1} and len(fitted.history_) == 4


def test_the_seed_decides_everything(detectors: list[NodeAnomalyDetector]) -> None:
    torch.rand(5)  # what was drawn before must not matter
    again, other = clone(detectors[0]).fit(GRAPH), NodeAnomalyDetector(seed=1, **TINY).fit(GRAPH)
    np.testing.assert_array_equal(again.decision_function(GRAPH), detectors[0].decision_function(GRAPH))
    assert not np.array_equal(other.decision_function(GRAPH), detectors[0].decision_function(GRAPH))


def test_settings_may_be_numbers_of_numpy(detectors: list[NodeAnomalyDetector], tmp_path: Path) -> None:
    settings = {name: np.int64(value) for name, value in {**TINY, "steps": 2, "seed": 0, "batch_size": 1024}.items()}
    detector = NodeAnomalyDetector(**settings).fit(GRAPH, checkpoint=tmp_path / "fit")
    np.testing.assert_array_equal(detector.decision_function(GRAPH), detectors[0].decision_function(GRAPH))
    detector.fit(GRAPH, checkpoint=tmp_path / "fit", resume=True)
    loaded = NodeAnomalyDetector.load(detector.save(tmp_path / "saved"))
    assert loaded.get_params() == detectors[0].get_params()


def test_sampled_training_scores_the_whole_graph() -> None:
    fitted = NodeAnomalyDetector(sampling=True, fanouts=(4, 2), batch_size=32, **TINY).fit(GRAPH)
    assert fitted.decision_function(GRAPH).shape == (300,)
    whole = NodeAnomalyDetector(sampling=False, **TINY).fit(GRAPH)
    assert not np.allclose(fitted.decision_function(GRAPH), whole.decision_function(GRAPH))


@pytest.mark.parametrize("y", LABELS)
def test_a_false_alarm_rate_holds_on_the_calibration_nodes(y: list[int] | None) -> None:
    fitted = NodeAnomalyDetector(false_alarm_rate=0.1, **TINY).fit(GRAPH, y)
    held_out = fitted.split_.validation
    normal = held_out[GRAPH.y[held_out] == 0] if y is None else held_out
    assert fitted.threshold_ == fitted.calibrator_.threshold
    assert len(fitted.calibrator_.scores) == len(normal)
    assert 0 < fitted.predict(GRAPH)[normal].mean() <= 0.1
    np.testing.assert_array_equal(fitted.p_values(GRAPH) <= 0.1, fitted.predict(GRAPH))


def test_only_the_labels_given_are_used(detectors: list[NodeAnomalyDetector]) -> None:
    """Neither a fit nor a threshold may look at the labels of test nodes."""
    train, validation = torch.zeros(2, 300, dtype=torch.bool)
    train[:120], validation[120:200] = True, True
    y = GRAPH.y.clone()
    y[200:] = 1 - y[200:]
    fits = [NodeAnomalyDetector(**TINY).fit(GRAPH, labels, train=train, validation=validation) for labels in (None, y)]
    first, second = (fitted.decision_function(GRAPH) for fitted in fits)
    np.testing.assert_array_equal(first, second)
    assert fits[0].threshold_ == fits[1].threshold_


def test_the_split_is_told_once(capsys: pytest.CaptureFixture) -> None:
    NodeAnomalyDetector(**TWO).fit(GRAPH)
    told = capsys.readouterr().err
    assert told.count("nodes for training") == 1 and "40 anomalous" in told and "100 nodes for validation" in told


def test_an_interrupted_fit_resumes_in_the_member_it_was_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"dim": 16, "epochs": 3, "members": 2}

    def fit(**options: object) -> NodeAnomalyDetector:
        return NodeAnomalyDetector(**settings).fit(GRAPH, **options)

    whole = fit().decision_function(GRAPH)
    resumed = resumed_fit(fit, tmp_path, monkeypatch)
    np.testing.assert_array_equal(resumed.decision_function(GRAPH), whole)


@pytest.mark.parametrize("which", [0, 1])
def test_an_absurd_feature_keeps_every_score_finite_and_stands_out_without_labels(
    detectors: list[NodeAnomalyDetector], which: int
) -> None:
    x = GRAPH.x.clone()
    x[3, 1] = 1e30
    scores = detectors[which].decision_function((x, GRAPH.relations))
    assert np.isfinite(scores).all()
    assert which == 0 or scores[3] > detectors[which].decision_function(GRAPH)[3]


def infinite() -> tuple:
    x = GRAPH.x.clone()
    x[3, 1] = torch.nan
    return x, GRAPH.relations


def few(count: int) -> NodeGraph:
    return power_law_graph(count, 20, 2, anomalies=0.3)


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        (lambda d: d.fit(infinite()), "node 3 are not finite"),
        (lambda d: d.fit(few(8)), "8 nodes .* too few"),
        (lambda d: d.fit(GRAPH, GRAPH.y[:-1]), r"y must be .*300"),
        (lambda d: d.fit(GRAPH, torch.zeros(300)), "train has normal nodes alone"),
        (lambda d: d.fit(GRAPH, train=torch.ones(299, dtype=torch.bool)), r"train is a mask of shape \(299,\)"),
        (lambda d: d.fit(GRAPH, train=[0, 300]), "train names node 300"),
        (lambda d: d.fit(GRAPH, validation=[0.5]), "validation must be bool"),
        (lambda d: d.fit(GRAPH, train=range(200), validation=range(199, 300)), "node 199 first"),
        (lambda d: d.fit(GRAPH, train=range(200), validation=[]), "validation has no nodes"),
        (lambda d: d.fit(GRAPH, torch.where(torch.arange(300) < 9, -1, GRAPH.y), train=range(200)), "9 nodes without"),
        (lambda d: d.fit(GRAPH, torch.arange(300) == 0), "too few of one class"),
        (lambda d: d.set_params(relations="mixed").fit(GRAPH), "merged, separate"),
        (lambda d: d.set_params(members=0).fit(GRAPH), "members is 0"),
        (lambda d: d.set_params(epochs=1.5).fit(GRAPH), "epochs is 1.5"),
        (lambda d: d.set_params(seed="1").fit(GRAPH), "seed is '1'"),
        (lambda d: d.set_params(lr=0).fit(GRAPH), "lr is 0"),
        (lambda d: d.set_params(lr=float("inf")).fit(GRAPH), "lr is inf"),
        (lambda d: d.set_params(sampling="yes").fit(GRAPH), "sampling is 'yes'"),
        (lambda d: d.set_params(fanouts=5).fit(GRAPH), "fanouts is 5"),
        (lambda d: d.set_params(fanouts=(2.5,)).fit(GRAPH), r"fanouts is 2.5"),
        (lambda d: d.set_params(false_alarm_rate="a").fit(GRAPH), "false_alarm_rate is 'a'"),
        (lambda d: d.set_params(steps=0).fit(GRAPH), "steps"),
        (lambda d: d.set_params(false_alarm_rate=2).fit(GRAPH), "false_alarm_rate is 2"),
        (lambda d: d.predict(GRAPH), "not fitted"),
        (lambda d: d.p_values(GRAPH), "not fitted"),
        (lambda d: d.is_anomalous(np.zeros(300)), "not fitted"),
        (lambda d: d.save("nowhere"), "not fitted"),
        (lambda d: d.fit(GRAPH).predict((GRAPH.x[:, :4], GRAPH.relations)), "4 features a node, not 5"),
        (lambda d: d.fit(GRAPH, UNKNOWN).predict_proba(GRAPH), "without labels"),
        (lambda d: d.fit(GRAPH).score(GRAPH, nodes=[0]), "1 labelled nodes are not of both classes"),
    ],
)
def test_what_cannot_work_gets_one_line(fit: Callable[[NodeAnomalyDetector], object], words: str) -> None:
    with refusal(match=words):
        fit(NodeAnomalyDetector(**TINY))


def test_a_foreign_or_mixed_folder_is_refused(detectors: list[NodeAnomalyDetector], tmp_path: Path) -> None:
    assert_refuses_foreign_files(detectors[0], tmp_path)
    assert_refuses_a_mixture(*detectors[:2], tmp_path)
    path = detectors[1].save(tmp_path / "other") / "config.json"
    config = json.loads(path.read_text())
    config["detector"]["members"] = 2
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match="does not fit"):
        NodeAnomalyDetector.load(path.parent)


@pytest.mark.parametrize(
    ("fitted", "section", "name", "value"),
    [
        ("merged", "detector", "relations", "separate"),
        ("separate", "detector", "relations", "merged"),
        ("separate", "fitted", "relations_", ["a"]),
        ("merged", "fitted", "features_", 4),
    ],
)
def test_settings_that_are_not_of_the_weights_are_refused(
    tmp_path: Path, fitted: str, section: str, name: str, value: object
) -> None:
    path = NodeAnomalyDetector(relations=fitted, **TINY).fit(two_relations()).save(tmp_path) / "config.json"
    config = json.loads(path.read_text())
    config[section][name] = value
    path.write_text(json.dumps(config))
    kinds = "2 separate relations" if fitted == "separate" else "merged edges"
    with pytest.raises(InputError, match=rf"config\.json says .* but its weights are for {kinds} and 5 features; set"):
        NodeAnomalyDetector.load(tmp_path)


@pytest.mark.parametrize("broken", [{"threshold": float("nan")}, {"scales": {"energy": [0, 1]}}])
def test_a_folder_that_decides_by_no_number_is_refused(
    detectors: list[NodeAnomalyDetector], tmp_path: Path, broken: dict
) -> None:
    path = detectors[0].save(tmp_path) / "calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | broken))
    with pytest.raises(InputError, match="decides by no number"):
        NodeAnomalyDetector.load(tmp_path)
