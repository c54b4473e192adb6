"""The command on whole graphs: fit, score and evaluate as a user meets them, with exit codes and one-line errors."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from commands import one_line, run

import tu_writer
from attractor.tasks import GraphClassifier
from rings import rings_and_paths

GRAPHS = rings_and_paths()
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def fitted(rings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "classifier"
    done = run("graphs", "fit", rings, "-o", folder, "--epochs", 2, "--members", 2)
    assert done.returncode == 0, done.stderr
    assert "36 graphs for training, 4 for validation" in done.stderr and "classes -1, 1 apart" in done.stdout
    return folder


def test_fit_leaves_three_files_and_no_pickle(fitted):
    assert sorted(path.name for path in fitted.iterdir()) == ["calibration.json", "config.json", "model.safetensors"]


def test_fit_is_that_of_the_library(fitted):
    again = GraphClassifier(epochs=2, members=2).fit(GRAPHS)
    np.testing.assert_array_equal(GraphClassifier.load(fitted).predict_proba(GRAPHS), again.predict_proba(GRAPHS))


def test_every_graph_is_a_row_with_its_class(fitted, rings, tmp_path):
    done = run("graphs", "score", fitted, rings, "--csv", tmp_path / "classes.csv")
    assert done.returncode == 0, done.stderr
    p = GraphClassifier.load(fitted).predict_proba(GRAPHS)
    written = list(csv.DictReader((tmp_path / "classes.csv").open()))
    assert [int(row["graph"]) for row in written] == list(range(40))
    assert [int(row["class"]) for row in written] == np.array([-1, 1])[p.argmax(axis=1)].tolist()
    np.testing.assert_allclose([float(row["probability"]) for row in written], p.max(axis=1))
    printed = list(csv.DictReader(done.stdout.splitlines()))
    assert [row["class"] for row in printed] == [row["class"] for row in written]
    np.testing.assert_allclose([float(row["probability"]) for row in printed], p.max(axis=1), rtol=1e-5)


def test_json_has_the_probability_of_every_class(fitted, rings):
    answer = json.loads(run("graphs", "score", fitted, rings, "--json").stdout)
    assert answer["classes"] == [-1, 1] and len(answer["graphs"]) == 40
    p = GraphClassifier.load(fitted).predict_proba(GRAPHS)
    np.testing.assert_allclose([[row["probabilities"][name] for name in ("-1", "1")] for row in answer["graphs"]], p)
    for row in answer["graphs"]:
        assert row["probability"] == row["probabilities"][str(row["class"])] == max(row["probabilities"].values())


def test_evaluate_reports_what_the_protocol_wants(rings, tmp_path):
    settings = ("--folds", 3, "--first", 2, "--epochs", 1, "--splits", tmp_path / "splits.json")
    done = run("graphs", "evaluate", rings, *settings, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    values = answer["accuracy"]["values"]
    assert len(values) == 2 and answer["accuracy"]["mean"] == pytest.approx(np.mean(values))
    assert json.loads((tmp_path / "splits.json").read_text())["splits"] == answer["splits"]
    words = run("graphs", "evaluate", rings, *settings).stdout
    assert f"{answer['accuracy']['mean']:.4f}" in words and "2 of 3 folds" in words and "scored once" in words
    assert "training graphs included" not in done.stderr + words


def test_the_published_protocol_says_what_it_is_wherever_it_is_seen(rings):
    settings = ("--folds", 2, "--epochs", 1, "--protocol", "published")
    done = run("graphs", "evaluate", rings, *settings)
    assert "training graphs included" in done.stdout and "training graphs included" in done.stderr
    answer = json.loads(run("graphs", "evaluate", rings, *settings, "--json").stdout)
    assert answer["training_graphs_included"] and "training graphs included" in answer["protocol"]


def test_inspect_shows_the_classifier(fitted):
    answer = json.loads(run("inspect", fitted, "--json").stdout)
    assert answer["classifier"]["members"] == 2 and answer["classes"] == [-1, 1]
    assert answer["split"] == {"train": 36, "validation": 4, "test": 0}
    assert answer["heads"][0]["block"] == 0 and answer["memories"][0]["count"] == 256


def test_an_interrupted_fit_is_not_trodden_on(rings, tmp_path):
    kept = tmp_path / "member-0" / "checkpoint.pt"
    kept.parent.mkdir()
    kept.write_bytes(b"of a killed run")
    one_line(run("graphs", "fit", rings, "-o", tmp_path, "--epochs", 1), "--resume", "member-0")
    one_line(run("graphs", "fit", rings, "-o", tmp_path, "--epochs", 1, "--resume"), "checkpoint")
    assert kept.read_bytes() == b"of a killed run"


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_a_finished_fit_is_not_trodden_on_either(fitted, rings, resume):
    before = (fitted / "model.safetensors").read_bytes()
    one_line(run("graphs", "fit", rings, "-o", fitted, "--seed", 1, *resume), "holds a finished model; choose another")
    assert (fitted / "model.safetensors").read_bytes() == before


@pytest.fixture(scope="module")
def places(rings, fitted, tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("places")
    (root / "file").write_text("no folder")
    texts = tu_writer.texts(GRAPHS)
    same = {**texts, "graph_labels": "1\n" * 40}
    few = tu_writer.texts(GRAPHS[:4])
    bare = {what: text for what, text in texts.items() if what in ("A", "graph_indicator")}
    sets = {"SAME": same, "FEW": few, "BARE": bare}
    written = {name: tu_writer.archive(root / f"{name}.zip", some, name) for name, some in sets.items()}
    own = {"DATA": rings, "FITTED": fitted, "OUT": root / "out", "FILE": root / "file"}
    return {**written, **own}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fit", "nowhere.zip", "-o", "OUT"), "nowhere.zip is no set"),
        (("fit", "FILE", "-o", "OUT"), "file cannot be read"),
        (("fit", "DATA", "-o", "FILE"), "cannot be written to"),
        (("fit", "SAME", "-o", "OUT"), "one class"),
        (("fit", "FEW", "-o", "OUT"), "too few"),
        (("fit", "BARE", "-o", "OUT"), "BARE has no classes"),
        (("fit", "BARE", "-o", "OUT", "--normal", "1"), "has no class 1"),
        (("fit", "DATA", "-o", "OUT", "--normal", "ring"), "its classes are -1, 1"),
        (("fit", "DATA", "-o", "OUT", "--resume"), "checkpoint"),
        (("score", "OUT", "DATA"), "no such folder"),
        (("score", "FITTED", "BARE"), "not 1 as fitted on"),
        (("score", "FITTED", "DATA", "--csv", "FILE/table.csv"), "cannot be written"),
        (("evaluate", "BARE"), "no classes"),
        (("evaluate", "SAME"), "one class"),
        (("evaluate", "DATA", "--folds", "30"), "30 folds"),
        (("evaluate", "DATA", "--folds", "3", "--first", "4"), "1 to 3"),
        (("evaluate", "DATA", "--protocol", "leaky"), "held-out, published"),
        (("evaluate", "DATA", "--splits", "FILE/splits.json"), "cannot be written"),
    ],
)
def test_bad_input_gets_one_line(arguments, words, places):
    one_line(run("graphs", *(place(argument, places) for argument in arguments)), words)


def place(argument: str, places: dict[str, Path]) -> str:
    first, *rest = argument.split("/")
    return str(places[first].joinpath(*rest)) if first in places else argument
