"""The classifier of graphs a user holds: learns, answers alike however it is asked, saves, resumes, refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.base import clone

from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.errors import InputError
from attractor.tasks import GraphClassifier
from attractor.tasks.graphs.explanation import explain_graphs
from foreign_folders import assert_refuses_a_mixture, assert_refuses_foreign_files
from interrupted import resumed_fit
from random_graphs import renumbered, renumbering
from refusals import refusal
from rings import rings_and_paths

GRAPHS = rings_and_paths()
TINY = {"dim": 8, "blocks": 2, "epochs": 2}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def fitted() -> GraphClassifier:
    """Of one network."""
    return GraphClassifier(**TINY).fit(GRAPHS)


@pytest.fixture(scope="module")
def pair() -> GraphClassifier:
    """Of two."""
    return GraphClassifier(members=2, **TINY).fit(GRAPHS)


def named(graphs: GraphSet, ring: str = "ring", path: str = "path") -> GraphSet:
    return replace(graphs, y=Categories.of([ring if i % 2 == 0 else path for i in range(len(graphs))]))


def test_graphs_that_neither_train_nor_validate_are_told_apart_by_name() -> None:
    graphs = named(rings_and_paths(60))
    classifier = GraphClassifier(dim=16, blocks=2, epochs=25).fit(graphs, train=range(40))
    assert classifier.classes_.tolist() == ["path", "ring"]
    test = graphs[classifier.split_.test]
    assert len(test) == 20 and classifier.score(test) >= 0.9
    p = classifier.predict_proba(test)
    assert p.shape == (20, 2) and p.dtype == np.float64
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(classifier.predict(test), np.array(["path", "ring"])[p.argmax(axis=1)])
    assert classifier.score(test, ["ring", "path"] * 10) == classifier.score(test)
    assert classifier.score(test, ["path", "ring"] * 10) == pytest.approx(1 - classifier.score(test))


def test_score_counts_graphs_with_a_class_alone_and_an_unheard_class_as_wrong(fitted: GraphClassifier) -> None:
    right = fitted.predict(GRAPHS).tolist()
    assert fitted.score(GRAPHS, [*right[:30], *[None] * 10]) == 1
    assert fitted.score(GRAPHS, [*right[:30], *[7] * 10]) == 0.75


def test_answers_do_not_depend_on_numbering_nor_on_company(fitted: GraphClassifier) -> None:
    p = fitted.predict_proba(GRAPHS)
    assert p.std(axis=0).min() > 0
    np.testing.assert_allclose(fitted.predict_proba(renumbered(GRAPHS, renumbering(GRAPHS))), p, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(GRAPHS[[5]]), p[[5]], atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(GRAPHS[[7, 5, 5]]), p[[7, 5, 5]], atol=1e-6)
    np.testing.assert_array_equal(fitted.predict_proba(GRAPHS), p)  # neither dropout nor noise


def test_a_graph_far_larger_than_any_that_trained_counts_whole(fitted: GraphClassifier) -> None:
    nodes = 3000
    ring = torch.stack([torch.arange(nodes), torch.arange(1, nodes + 1) % nodes])
    x = torch.zeros(nodes, 1)

    def p(x: torch.Tensor) -> np.ndarray:
        labels = Categories(torch.zeros(nodes, dtype=torch.int64), (0,))
        return fitted.predict_proba(GraphSet.build(torch.tensor([nodes]), ring, x, [labels]))

    assert np.isfinite(p(x)).all()
    changed = x.clone()
    changed[-1] = 100.0
    assert abs(p(changed) - p(x)).max() > 1e-6


def test_networkx_graphs_with_and_without_features() -> None:
    graphs = [nx.cycle_graph(n) if i % 2 else nx.path_graph(n) for i, n in enumerate([4, 5, 6, 7] * 4)]
    for of_node in ({}, {"charge": 0.5}):
        for graph in graphs:
            nx.set_node_attributes(graph, dict.fromkeys(graph, of_node))
        classifier = GraphClassifier(**TINY).fit(graphs, ["path", "ring"] * 8)
        assert set(classifier.predict(graphs)) <= {"path", "ring"}


def test_a_networkx_graph_is_read_alone_as_it_is_among_others(tmp_path: Path) -> None:
    graphs = [nx.cycle_graph(n) if i % 2 else nx.path_graph(n) for i, n in enumerate([4, 5, 6, 7] * 4)]
    for i, graph in enumerate(graphs):
        nx.set_node_attributes(graph, {n: {"mass": n if i else n + 0.5} for n in graph})  # of the others all whole
    graphs[0].nodes[0]["tag"] = "odd"
    classes = ["path", "ring"] * 8
    fitted = GraphClassifier(**TINY).fit(graphs, classes)
    loaded = GraphClassifier.load(fitted.save(tmp_path / "saved"))
    alone = [loaded.predict_proba([graph])[0] for graph in graphs]
    np.testing.assert_allclose(alone, fitted.predict_proba(graphs), atol=1e-6)
    assert loaded.score(graphs[1:], classes[1:]) == fitted.score(graphs[1:], classes[1:])
    assert explain_graphs(loaded, graphs[1:2], [0])[0].predicted == fitted.predict(graphs[1:2])[0]


def test_a_label_never_seen_is_none_of_those_known(fitted: GraphClassifier) -> None:
    label = GRAPHS.node_labels[0]
    other = replace(GRAPHS, node_labels=(replace(label, values=(0, 9)),))
    p = fitted.predict_proba(other)
    assert np.isfinite(p).all() and not np.allclose(p, fitted.predict_proba(GRAPHS), atol=1e-6)


def test_members_are_averaged_and_start_apart(fitted: GraphClassifier, pair: GraphClassifier) -> None:
    both = []
    for member in pair.members_:
        alone = copy.copy(pair)
        alone.members_ = [member]
        both.append(alone.predict_proba(GRAPHS))
    np.testing.assert_array_equal(both[0], fitted.predict_proba(GRAPHS))  # the first is the only one of one
    assert not np.allclose(both[0], both[1])
    np.testing.assert_allclose(pair.predict_proba(GRAPHS), np.mean(both, axis=0))
    assert [row["member"] for row in pair.history_] == [0, 0, 1, 1]


def test_the_seed_decides_everything(fitted: GraphClassifier) -> None:
    torch.rand(5)  # what was drawn before must not matter
    again, other = clone(fitted).fit(GRAPHS), GraphClassifier(seed=1, **TINY).fit(GRAPHS)
    np.testing.assert_array_equal(again.predict_proba(GRAPHS), fitted.predict_proba(GRAPHS))
    assert not np.array_equal(other.predict_proba(GRAPHS), fitted.predict_proba(GRAPHS))
    assert not torch.equal(other.split_.validation, fitted.split_.validation)


def test_settings_may_be_numbers_of_numpy(fitted: GraphClassifier) -> None:
    settings = {name: np.int64(value) for name, value in {**TINY, "walks": 16, "eigenvectors": 0, "seed": 0}.items()}
    answers = GraphClassifier(**settings).fit(GRAPHS).predict_proba(GRAPHS)
    np.testing.assert_array_equal(answers, fitted.predict_proba(GRAPHS))


def test_nothing_of_the_test_graphs_is_used() -> None:
    """Neither their classes, nor their labels, nor their attributes, nor what the scales are taken from."""
    parts = {"train": range(20), "validation": range(20, 30)}
    start, changed = int(GRAPHS.ptr[30]), rings_and_paths()
    changed.x[start:] *= 100
    changed.node_labels[0].codes[start:] = 2
    changed.y.codes[30:] = 1 - changed.y.codes[30:]
    changed = replace(changed, node_labels=(replace(changed.node_labels[0], values=(0, 3, 9)),))
    first, second = (GraphClassifier(**TINY).fit(graphs, **parts) for graphs in (GRAPHS, changed))
    assert first.split_.test.tolist() == list(range(30, 40))
    np.testing.assert_array_equal(first.predict_proba(GRAPHS), second.predict_proba(GRAPHS))


def test_the_split_is_told_once(capsys: pytest.CaptureFixture) -> None:
    GraphClassifier(members=2, **TINY).fit(GRAPHS)
    assert capsys.readouterr().err.splitlines() == ["36 graphs for training, 4 for validation, 2 classes; seed 0"]


def test_a_saved_classifier_answers_as_before(pair: GraphClassifier, tmp_path: Path) -> None:
    loaded = GraphClassifier.load(pair.save(tmp_path / "saved"))
    files = sorted(path.name for path in (tmp_path / "saved").iterdir())
    assert files == ["calibration.json", "config.json", "model.safetensors"]
    np.testing.assert_array_equal(loaded.predict_proba(GRAPHS), pair.predict_proba(GRAPHS))
    np.testing.assert_array_equal(loaded.predict(GRAPHS), pair.predict(GRAPHS))
    assert loaded.get_params() == pair.get_params()
    assert loaded.classes_.tolist() == pair.classes_.tolist() == [-1, 1]
    assert torch.equal(loaded.split_.validation, pair.split_.validation)
    assert not any(member.training for member in loaded.members_)


def test_an_interrupted_fit_resumes_in_the_member_it_was_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**TINY, "epochs": 3, "members": 2}

    def fit(**options: object) -> GraphClassifier:
        return GraphClassifier(**settings).fit(GRAPHS, **options)

    whole = fit().predict_proba(GRAPHS)
    resumed = resumed_fit(fit, tmp_path, monkeypatch)
    np.testing.assert_array_equal(resumed.predict_proba(GRAPHS), whole)
    with pytest.raises(InputError, match="other settings"):
        GraphClassifier(**{**settings, "lr": 0.1}).fit(GRAPHS, checkpoint=tmp_path, resume=True)


def test_weights_that_are_no_numbers_answer_nobody(fitted: GraphClassifier) -> None:
    broken = copy.deepcopy(fitted)
    with torch.no_grad():
        broken.members_[0].reader.fill_(float("nan"))
    with pytest.raises(InputError, match="the classifier is broken"):
        broken.predict(GRAPHS)


def bare(graphs: GraphSet) -> GraphSet:
    return replace(graphs, node_labels=())


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda c: c.fit(replace(GRAPHS, y=None)), "RINGS has no classes; give them as y"),
        (lambda c: c.fit(GRAPHS, [1] * 40), "all graphs that train have one class"),
        (lambda c: c.fit(GRAPHS, [1, 2]), "2 classes do not fit 40 graphs"),
        (lambda c: c.fit(GRAPHS[:9]), "9 graphs to learn from are too few"),
        (lambda c: c.fit(nx.path_graph(3)), "put it in a list"),
        (lambda c: c.set_params(epochs=0).fit(GRAPHS), "epochs is 0"),
        (lambda c: c.set_params(members=1.5).fit(GRAPHS), "members is 1.5"),
        (lambda c: c.set_params(batch_size=0).fit(GRAPHS), "batch_size is 0"),
        (lambda c: c.set_params(walks=-1).fit(GRAPHS), "walks is -1"),
        (lambda c: c.set_params(eigenvectors=True).fit(GRAPHS), "eigenvectors is True"),
        (lambda c: c.set_params(seed="1").fit(GRAPHS), "seed is '1'"),
        (lambda c: c.set_params(lr=float("inf")).fit(GRAPHS), "lr is inf"),
        (lambda c: c.set_params(dim=0).fit(GRAPHS), "dim must be"),
        (lambda c: c.set_params(blocks=0).fit(GRAPHS), "blocks must be"),
        (lambda c: c.predict(GRAPHS), "not fitted"),
        (lambda c: c.score(GRAPHS), "not fitted"),
        (lambda c: c.save("nowhere"), "not fitted"),
        (lambda c: c.fit(GRAPHS).predict(bare(GRAPHS)), "0 node labels, not 1 as fitted on"),
        (lambda c: c.fit(bare(GRAPHS)).score(replace(bare(GRAPHS), y=None)), "no classes to compare with"),
    ],
)
def test_what_cannot_work_gets_one_line(use: Callable[[GraphClassifier], object], words: str) -> None:
    with refusal(match=words):
        use(GraphClassifier(**TINY))


def test_a_foreign_or_mixed_folder_is_refused(fitted: GraphClassifier, pair: GraphClassifier, tmp_path: Path) -> None:
    assert_refuses_foreign_files(fitted, tmp_path)
    assert_refuses_a_mixture(fitted, pair, tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        GraphClassifier.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("section", "changed", "words"),
    [
        ("classifier", {"members": 3}, "does not fit"),
        ("classifier", {"depth": 3}, "missing or foreign"),
        ("model", {"dim": 12}, "does not fit"),
        ("encoder", {"walks": 7}, "encoder and model do not fit"),
        ("classes", ["ring"], "names 1 classes"),
    ],
)
def test_settings_that_do_not_fit_the_weights_are_refused(
    pair: GraphClassifier, tmp_path: Path, section: str, changed: dict | list, words: str
) -> None:
    path = pair.save(tmp_path) / "config.json"
    config = json.loads(path.read_text())
    config[section] = changed if isinstance(changed, list) else {**config[section], **changed}
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match=words):
        GraphClassifier.load(tmp_path)
