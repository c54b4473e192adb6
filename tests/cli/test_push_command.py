"""`attractor push`, and the commands that then take the name."""

import json

import pytest
from commands import TINY, run, write_images

from attractor.models import Selyne
from attractor.models.store import save_model


@pytest.fixture
def detector(tmp_path, seed):
    save_model(Selyne(TINY), tmp_path / "model")
    write_images(tmp_path / "good", 12, 1)
    options = ("--model", tmp_path / "model", "--method", "mahalanobis", "-o", tmp_path / "detector")
    assert run("detect", "fit", tmp_path / "good", *options).returncode == 0
    return tmp_path / "detector"


def test_push_then_score_and_inspect_by_name(hub, detector, tmp_path):
    done = run("push", detector, "someone/gravel", "--private", "--message", "Gravel", "--license", "MIT")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{hub.address}/someone/gravel\n", "")
    assert hub.repositories["someone/gravel"].private and hub.messages == ["Gravel"]
    repository = hub.repositories["someone/gravel"]
    assert repository.commits[repository.refs["main"]]["README.md"].startswith(b"---\nlicense: mit\n")
    by_name, here = (run("detect", "score", name, tmp_path / "good") for name in ("someone/gravel", detector))
    assert by_name.returncode == 0, by_name.stderr
    assert by_name.stdout == here.stdout
    told = json.loads(run("inspect", "someone/gravel@main", "--json").stdout)
    assert told["detector"]["method"] == "mahalanobis"


def test_a_model_by_name_is_what_a_detector_starts_from(hub, detector, tmp_path):
    assert run("push", tmp_path / "model", "someone/encoder").returncode == 0
    options = ("--method", "mahalanobis", "-o", tmp_path / "again")
    assert run("detect", "fit", tmp_path / "good", "--model", "someone/encoder", *options).returncode == 0
    again, first = ((tmp_path / name / "calibration.json").read_text() for name in ("again", "detector"))
    assert again == first


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("push", "no/where", "someone/x"), "no/where: neither a folder here nor something on the Hub"),
        (("push", "et-tiny", "x"), "give org/name"),
        (("push", "et-tiny", "a/x", "--license", "all mine"), "'all mine' is no identifier of a licence"),
        (("push", "et-tiny", "a/x", "--license", "MIT"), "README.md is the card that is published"),
        (("detect", "score", "someone/x", "."), "someone/x: neither a folder here nor something on the Hub"),
        (("nodes", "score", "someone/x", "."), "someone/x: neither a folder here nor something on the Hub"),
        (("graphs", "score", "someone/x", "."), "someone/x: neither a folder here nor something on the Hub"),
        (("inspect", "someone/x@v2"), "someone/x@v2: neither a folder here nor something on the Hub"),
    ],
)
def test_bad_names_are_one_line(hub, arguments, words):
    done = run(*arguments)
    assert done.returncode == 2, done
    assert words in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
