"""The detector of odd graphs a user holds: learns from normal ones, decides at its rate, saves, resumes, refuses."""

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
from sklearn.covariance import LedoitWolf

from attractor.data.graphs.graph_set import GraphSet
from attractor.errors import InputError
from attractor.tasks import GraphAnomalyDetector
from attractor.tasks.graphs.scores import GraphScorer
from attractor.training.loop import Trainer
from foreign_folders import assert_refuses_a_mixture, assert_refuses_foreign_files
from interrupted import resumed_fit
from random_graphs import renumbered, renumbering
from refusals import refusal
from rings import rings_and_paths

GRAPHS = rings_and_paths()
TINY = {"dim": 8, "blocks": 2, "epochs": 2}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def fitted() -> GraphAnomalyDetector:
    """Of one network."""
    return GraphAnomalyDetector(**TINY).fit(GRAPHS)


@pytest.fixture(scope="module")
def pair() -> GraphAnomalyDetector:
    """Of two."""
    return GraphAnomalyDetector(members=2, **TINY).fit(GRAPHS)


def of_class(graphs: GraphSet, value: int) -> GraphSet:
    return graphs[graphs.y.codes == graphs.y.values.index(value)]


def test_paths_stand_out_among_rings_and_rings_do_not() -> None:
    graphs = rings_and_paths(160)
    rings, paths = of_class(graphs, 1), of_class(graphs, -1)
    detector = GraphAnomalyDetector(dim=16, blocks=2, epochs=20, false_alarm_rate=0.1).fit(rings, train=range(60))
    test = rings[detector.split_.test]
    assert [len(part) for part in vars(detector.split_).values()] == [40, 20, 20]
    assert detector.predict(paths).mean() > 0.6 > 0.3 > detector.predict(test).mean()
    both = torch.cat([2 * detector.split_.test, torch.arange(1, 160, 2)])
    assert detector.score(graphs[both], [0] * 20 + [1] * 80) > 0.9


def test_a_score_is_the_geometric_mean_of_two_distances() -> None:
    normal, asked = torch.randn(30, 6), 2 * torch.randn(5, 6)
    fitted = LedoitWolf().fit(normal.double().numpy())
    gap = (asked[:, None, 3:] - normal[:, 3:]).norm(dim=-1).sort(dim=1).values[:, :5].mean(dim=1)
    expected = np.sqrt(fitted.mahalanobis(asked.double().numpy()) * gap.double().numpy())
    np.testing.assert_allclose(GraphScorer(3).fit(normal)(asked).numpy(), expected, rtol=1e-4)


def test_decisions_and_p_values_are_those_of_the_graphs_that_calibrate(fitted: GraphAnomalyDetector) -> None:
    scores, p = fitted.decision_function(GRAPHS), fitted.p_values(GRAPHS)
    assert scores.shape == (40,) and scores.dtype == np.float64 and (scores >= 0).all() and scores.std() > 0
    held_out = fitted.calibrator_.scores
    np.testing.assert_allclose(held_out, np.sort(scores[fitted.split_.validation]), rtol=1e-4)
    assert len(held_out) == 14 and fitted.threshold_ == held_out.max()  # too few for one in a hundred
    np.testing.assert_array_equal(p, fitted.calibrator_.p_value(scores))
    np.testing.assert_array_equal(fitted.predict(GRAPHS), p == 1 / 15)


def test_scores_do_not_depend_on_numbering_nor_on_company(fitted: GraphAnomalyDetector) -> None:
    scores = fitted.decision_function(GRAPHS)
    for graphs, chosen in [(renumbered(GRAPHS, renumbering(GRAPHS)), slice(None)), (GRAPHS[[7, 5, 5]], [7, 5, 5])]:
        np.testing.assert_allclose(fitted.decision_function(graphs), scores[chosen], rtol=1e-3)
    np.testing.assert_array_equal(fitted.decision_function(GRAPHS), scores)  # neither dropout nor noise


def test_classes_do_not_act(fitted: GraphAnomalyDetector) -> None:
    without = clone(fitted).fit(replace(GRAPHS, y=None))
    np.testing.assert_array_equal(without.decision_function(GRAPHS), fitted.decision_function(GRAPHS))


def test_graphs_that_calibrate_decide_and_do_nothing_else() -> None:
    parts = {"train": range(20), "validation": range(20, 30)}
    start, changed = int(GRAPHS.ptr[20]), copy.deepcopy(GRAPHS)
    changed.x[start:] *= 100
    first, second = (GraphAnomalyDetector(**TINY).fit(graphs, **parts) for graphs in (GRAPHS, changed))
    assert first.split_.test.tolist() == list(range(30, 40))
    np.testing.assert_array_equal(first.decision_function(GRAPHS), second.decision_function(GRAPHS))
    assert second.threshold_ > first.threshold_


def test_members_are_averaged_and_start_apart(fitted: GraphAnomalyDetector, pair: GraphAnomalyDetector) -> None:
    both = []
    for member, scorer in zip(pair.members_, pair.scorers_, strict=True):
        alone = copy.copy(pair)
        alone.members_, alone.scorers_ = [member], [scorer]
        both.append(alone.decision_function(GRAPHS))
    np.testing.assert_array_equal(both[0], fitted.decision_function(GRAPHS))  # the first is the only one of one
    assert not np.allclose(both[0], both[1])
    np.testing.assert_allclose(pair.decision_function(GRAPHS), np.mean(both, axis=0))


def test_the_seed_decides_everything(fitted: GraphAnomalyDetector) -> None:
    torch.rand(5)  # what was drawn before must not matter
    again, other = clone(fitted).fit(GRAPHS), GraphAnomalyDetector(seed=1, **TINY).fit(GRAPHS)
    np.testing.assert_array_equal(again.decision_function(GRAPHS), fitted.decision_function(GRAPHS))
    assert not torch.equal(other.split_.validation, fitted.split_.validation)


@pytest.mark.parametrize(("batch_size", "epochs"), [(26, 150), (9, 50), (1, 6)])
def test_epochs_are_as_many_as_make_150_steps(batch_size: int, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "train_step", lambda self, indices: None)
    detector = GraphAnomalyDetector(dim=8, blocks=1, batch_size=batch_size).fit(GRAPHS)
    assert len(detector.history_) == epochs


def test_split_and_an_unreachable_rate_are_told_once(capsys: pytest.CaptureFixture) -> None:
    GraphAnomalyDetector(members=2, **TINY).fit(GRAPHS)
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "26 graphs for training, 14 for calibration; seed 0"
    assert "14 calibration scores support no false-alarm rate below 6.7 %" in " ".join(rest)


def test_a_saved_detector_answers_as_before(pair: GraphAnomalyDetector, tmp_path: Path) -> None:
    loaded = GraphAnomalyDetector.load(pair.save(tmp_path / "saved"))
    files = sorted(path.name for path in (tmp_path / "saved").iterdir())
    assert files == ["calibration.json", "config.json", "model.safetensors"]
    for answer in ("decision_function", "p_values", "predict"):
        np.testing.assert_array_equal(getattr(loaded, answer)(GRAPHS), getattr(pair, answer)(GRAPHS))
    assert loaded.get_params() == pair.get_params() and loaded.threshold_ == pair.threshold_
    assert torch.equal(loaded.split_.validation, pair.split_.validation)


def test_an_interrupted_fit_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**TINY, "epochs": 3, "members": 2}

    def fit(**options: object) -> GraphAnomalyDetector:
        return GraphAnomalyDetector(**settings).fit(GRAPHS, **options)

    whole = fit().decision_function(GRAPHS)
    resumed = resumed_fit(fit, tmp_path, monkeypatch)
    np.testing.assert_array_equal(resumed.decision_function(GRAPHS), whole)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda d: d.fit(GRAPHS[:9]), "9 graphs to learn from are too few"),
        (lambda d: d.fit(GRAPHS, validation=[]), "validation has no graphs"),
        (lambda d: d.fit(GRAPHS, train=range(20), validation=range(19, 30)), "graphs train and validate, graph 19"),
        (lambda d: d.set_params(epochs=0).fit(GRAPHS), "epochs is 0"),
        (lambda d: d.set_params(batch_size=0).fit(GRAPHS), "batch_size is 0"),
        (lambda d: d.set_params(members=1.5).fit(GRAPHS), "members is 1.5"),
        (lambda d: d.set_params(false_alarm_rate=1).fit(GRAPHS), "false_alarm_rate is 1"),
        (lambda d: d.set_params(dim=0).fit(GRAPHS), "dim must be"),
        (lambda d: d.decision_function(GRAPHS), "not fitted"),
        (lambda d: d.p_values(GRAPHS), "not fitted"),
        (lambda d: d.predict(GRAPHS), "not fitted"),
        (lambda d: d.save("nowhere"), "not fitted"),
        (lambda d: d.fit(GRAPHS).predict(replace(GRAPHS, node_labels=())), "0 node labels, not 1 as fitted on"),
        (lambda d: d.fit(GRAPHS).score(GRAPHS, [0, 1]), "y must be 0 or 1 for each of the 40 graphs"),
        (lambda d: d.fit(GRAPHS).score(GRAPHS, [1] * 40), "some of both"),
        (lambda d: d.fit(GRAPHS).score(GRAPHS, [-1, 1] * 20), "y must be 0 or 1"),
    ],
)
def test_what_cannot_work_gets_one_line(use: Callable[[GraphAnomalyDetector], object], words: str) -> None:
    with refusal(match=words):
        use(GraphAnomalyDetector(**TINY))


def test_a_foreign_or_mixed_folder_is_refused(
    fitted: GraphAnomalyDetector, pair: GraphAnomalyDetector, tmp_path: Path
) -> None:
    assert_refuses_foreign_files(fitted, tmp_path)
    assert_refuses_a_mixture(fitted, pair, tmp_path)


@pytest.mark.parametrize(
    ("file", "section", "changed", "words"),
    [
        ("config", "detector", {"members": 3}, "does not fit"),
        ("config", "detector", {"depth": 3}, "missing or foreign"),
        ("config", "model", {"dim": 12}, "does not fit"),
        ("config", "encoder", {"walks": 7}, "encoder and model do not fit"),
        ("calibration", "calibrator", {"scores": []}, "hold out at least 1"),
    ],
)
def test_settings_that_do_not_fit_the_weights_are_refused(
    pair: GraphAnomalyDetector, tmp_path: Path, file: str, section: str, changed: dict, words: str
) -> None:
    path = pair.save(tmp_path) / f"{file}.json"
    values = json.loads(path.read_text())
    values[section] |= changed
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=words):
        GraphAnomalyDetector.load(tmp_path)
