"""Protocols: a test fold is scored once and trains nowhere, unless published, which every answer then says."""

import json

import numpy as np
import pytest

from attractor.data.graphs.folds import folds, published_folds
from attractor.data.graphs.set_reading import as_graph_set
from attractor.errors import InputError
from attractor.tasks import GraphClassifier, evaluate_graphs
from attractor.tasks.graphs.evaluate import epochs_chosen
from refusals import refusal
from rings import rings_and_paths

GRAPHS = rings_and_paths(30)
TINY = {"dim": 8, "blocks": 1, "epochs": 2}
pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_fold_is_fitted_anew_and_its_test_graphs_scored(tmp_path):
    settings = {**TINY, "dim": 16, "lr": 0.02, "epochs": 6}
    found = evaluate_graphs(GRAPHS, 3, seed=4, splits=tmp_path / "splits.json", **settings)
    values, epochs = [], []
    for fold in folds(GRAPHS.y.codes, 3, 4):
        classifier = GraphClassifier(seed=4, **settings).fit(GRAPHS, train=fold.train, validation=fold.validation)
        values.append(classifier.score(GRAPHS[fold.test]))
        figures = [row["val_choice"] for row in classifier.history_]
        epochs.append([1 + int(np.argmax(figures))])
    assert found["accuracy"]["values"] == pytest.approx(values) and len(set(values)) > 1
    assert found["accuracy"]["mean"] == pytest.approx(np.mean(values))
    assert found["accuracy"]["std"] == pytest.approx(np.std(values, ddof=1))
    assert found["epochs_chosen"] == epochs
    assert (found["folds"], found["folds_done"], found["seed"], found["graphs"]) == (3, 3, 4, 30)
    assert found["classes"] == (-1, 1) and found["training_graphs_included"] is False
    assert found["protocol"].startswith("stratified 3-fold cross-validation, epoch chosen on held-out training graphs")
    assert json.loads((tmp_path / "splits.json").read_text())["splits"] == found["splits"]


def test_splits_share_the_graphs_out():
    splits = evaluate_graphs(GRAPHS, 3, **TINY)["splits"]
    for split in splits:
        assert sorted(number for part in split.values() for number in part) == list(range(30))
    assert sorted(number for split in splits for number in split["test"]) == list(range(30))


def test_the_first_folds_alone_are_those_of_all():
    every, first = (evaluate_graphs(GRAPHS, 3, first=n, **TINY) for n in (None, 1))
    assert first["accuracy"]["values"] == every["accuracy"]["values"][:1] and first["splits"] == every["splits"][:1]
    assert (first["folds"], first["folds_done"]) == (3, 1)


def test_the_published_protocol_fits_once_and_says_what_it_scores(monkeypatch, capsys):
    fits, fit = [], GraphClassifier.fit
    monkeypatch.setattr(GraphClassifier, "fit", lambda self, *a, **k: fits.append(k) or fit(self, *a, **k))
    found = evaluate_graphs(GRAPHS, 3, protocol="published", **TINY)
    assert len(fits) == 1 and len(fits[0]["train"]) == 30 and not len(fits[0]["validation"])
    classifier = fit(GraphClassifier(**TINY), GRAPHS, validation=[])
    parts = published_folds(GRAPHS.y.codes, 3, 0)
    assert found["accuracy"]["values"] == pytest.approx([classifier.score(GRAPHS[part.test]) for part in parts])
    assert found["epochs_chosen"] == [[2]] * 3  # nothing validates: the last
    assert found["training_graphs_included"] is True and "training graphs included" in found["protocol"]
    told = [line for line in capsys.readouterr().err.splitlines() if "accuracy" in line]
    assert len(told) == 3 and all("training graphs included" in line for line in told)


def test_graphs_without_a_class_are_in_no_part():
    y = [*GRAPHS.y.codes.tolist()[:24], *[None] * 6]
    found = evaluate_graphs(as_graph_set(GRAPHS, y), 3, first=1, **TINY)
    assert found["graphs"] == 24 and max(n for part in found["splits"][0].values() for n in part) == 23


def test_the_epoch_of_every_member_is_its_best():
    classifier = GraphClassifier(members=2)
    figures = [(0, 1, 0.1), (0, 2, 0.9), (0, 3, 0.9), (1, 1, 0.7), (1, 2, 0.2), (1, 3, 0.3)]
    classifier.history_ = [dict(zip(("member", "epoch", "val_choice"), row, strict=True)) for row in figures]
    assert epochs_chosen(classifier) == [2, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "leaky"}, "choose one of held-out, published"),
        ({"folds": 16}, "a class has 15 graphs only"),
        ({"folds": 1}, "ask for 2 or more"),
        ({"first": 4, "folds": 3}, "ask for 1 to 3"),
        ({"epochs": 0}, "epochs is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_cannot_be_evaluated_gets_one_line(change, words):
    with refusal(match=words):
        evaluate_graphs(GRAPHS, **{**TINY, **change})


def test_graphs_of_no_class_or_of_one_cannot_be_evaluated():
    with pytest.raises(InputError, match="one class"):
        evaluate_graphs(as_graph_set(GRAPHS, [7] * 30), 3, **TINY)
    with pytest.raises(InputError, match="no classes"):
        evaluate_graphs(as_graph_set(GRAPHS, [None] * 30), 3, **TINY)


def test_splits_that_cannot_be_written_are_known_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(GraphClassifier, "fit", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        evaluate_graphs(GRAPHS, 3, splits=tmp_path / "file" / "splits.json", **TINY)
