"""The engine on a kind that counts: interrupted, resumed, extended, and what it refuses."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from attractor.errors import InputError
from attractor.reproduce import run as module
from attractor.reproduce import weights as weights_module
from attractor.reproduce.part import Kind, Part
from attractor.reproduce.row import Row
from attractor.reproduce.run import KINDS, reproduce
from attractor.reproduce.wish import Wish

ROW = Row(
    name="toy", title="A toy", kind="graphs", data="toys", main="score", seeds=[0, 1],
    variants={"plain": {"add": 0}, "more": {"add": 10, "model": "shipped"}},
    published={"more": {"score": {"mean": 0.5, "cv_percent": 2}}}, source="a paper", caution="a toy only",
)  # fmt: skip


class Counted(Kind):
    """Two parts a seed; ``asked`` is what was measured, and ``stop`` after how many the user interrupts."""

    asked: list[tuple[int, int, str]]
    stop: int | None
    value: float
    folder: Path | None  # of the weights

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        for number, name in enumerate("ab"):
            yield Part(name, partial(self.measure, settings["add"], seed, name, number))

    def measure(self, add: int, seed: int, name: str, number: int) -> dict[str, float]:
        if len(self.asked) == self.stop:
            raise KeyboardInterrupt
        self.asked.append((add, seed, name))
        return {"score": add + seed + number / 10, "other": Counted.value}

    def weights(self, settings: dict[str, Any], seed: int) -> Path | None:
        return Counted.folder


@pytest.fixture(autouse=True)
def counted(monkeypatch) -> type[Counted]:
    Counted.asked, Counted.stop, Counted.value, Counted.folder = [], None, 1.0, None
    monkeypatch.setitem(KINDS, "graphs", Counted)
    monkeypatch.setattr(weights_module, "model_folder", Path)
    return Counted


def refused(output: Path, wish: Wish, said: str) -> None:
    """One line, and everything as it was."""
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} if output.is_dir() else {}
    with pytest.raises(InputError, match=said) as caught:
        reproduce(ROW, Path(), output, wish)
    assert "\n" not in str(caught.value) and Counted.asked == []
    assert before == ({path: path.read_bytes() for path in output.rglob("*") if path.is_file()} if before else {})


def test_all_of_it_in_order(tmp_path: Path) -> None:
    result = reproduce(ROW, Path(), tmp_path)
    assert Counted.asked == [(add, seed, name) for add in (0, 10) for seed in (0, 1) for name in "ab"]
    assert result == json.loads((tmp_path / "toy.json").read_text())
    assert result["summary"]["more"]["score"]["mean"] == pytest.approx(10.55)
    assert result["published"] == {"more": {"score": {"mean": 0.5, "cv_percent": 2.0}}}
    assert (result["source"], result["caution"]) == ("a paper", "a toy only")
    assert {"git_revision", "date", "versions", "hardware"} <= set(result)


@pytest.mark.parametrize("stop", range(8))
def test_interrupted_and_resumed(tmp_path: Path, stop: int) -> None:
    Counted.stop = stop
    with pytest.raises(KeyboardInterrupt):
        reproduce(ROW, Path(), tmp_path)
    path = tmp_path / "toy.json"
    assert len(json.loads(path.read_text())["runs"] if stop else []) == stop and path.exists() == bool(stop)
    assert [file.name for file in tmp_path.iterdir()] == ["toy.json"] * bool(stop)
    Counted.stop = None
    resumed = reproduce(ROW, Path(), tmp_path)
    assert len(Counted.asked) == len(set(Counted.asked)) == 8
    at_once = reproduce(ROW, Path(), tmp_path / "at-once")
    assert {**resumed, "date": 0} == {**at_once, "date": 0}


def test_every_run_says_its_revision(tmp_path: Path, monkeypatch) -> None:
    for revision in ("one", "two"):
        monkeypatch.setattr(module, "provenance", lambda now=revision: {"git_revision": now})
        result = reproduce(ROW, Path(), tmp_path, Wish([0] if revision == "one" else [1], ["plain"]))
    assert [run["git_revision"] for run in result["runs"]] == ["one", "one", "two", "two"]


def test_other_seeds_and_variants_add_runs(tmp_path: Path) -> None:
    reproduce(ROW, Path(), tmp_path, Wish([0, 0], ["more"]))
    assert len(Counted.asked) == 2
    result = reproduce(ROW, Path(), tmp_path, Wish([5], ["plain", "plain"]))
    assert Counted.asked[2:] == [(0, 5, "a"), (0, 5, "b")]
    assert list(result["variants"]) == list(result["summary"])[::-1] == ["plain", "more"]
    assert result["variants"]["more"] == {"add": 10, "model": "shipped"}
    assert result["command"] == "attractor reproduce toy --data DIR --seeds 0 --seeds 5"
    result = reproduce(ROW, Path(), tmp_path)
    assert len(Counted.asked) == 10 and result["summary"]["plain"]["score"]["seeds"] == [0, 1, 5]


def test_nothing_is_measured_of_what_is_there(tmp_path: Path) -> None:
    reproduce(ROW, Path(), tmp_path)
    before = (tmp_path / "toy.json").read_bytes()
    Counted.asked.clear()
    reproduce(ROW, Path(), tmp_path, Wish([1], ["plain"]))
    assert Counted.asked == [] and (tmp_path / "toy.json").read_bytes() == before


def test_a_figure_that_is_not_finite_is_kept_as_none(tmp_path: Path) -> None:
    Counted.value = float("nan")
    result = reproduce(ROW, Path(), tmp_path, Wish([0]))
    assert all(run["values"]["other"] is None for run in result["runs"]) and "other" not in result["summary"]["plain"]
    Counted.value = 1.0
    result = reproduce(ROW, Path(), tmp_path, Wish([1]))
    assert result["summary"]["plain"]["other"]["seeds"] == [1]


def test_other_settings_are_not_mixed(tmp_path: Path) -> None:
    reproduce(ROW, Path(), tmp_path, Wish([0], ["more"]))
    reproduce(ROW, Path(), tmp_path, Wish([0], ["plain"]))
    Counted.asked.clear()
    other = Wish([1], ["more"], {"model": "mine"})
    refused(tmp_path, other, "toy.json holds 'more' with other settings; choose another --output")
    assert reproduce(ROW, Path(), tmp_path / "mine", other)["command"].endswith("--data DIR --model mine")


def digest(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder of weights that the toy starts from; its results go into another."""
    Counted.folder = tmp_path / "weights"
    Counted.folder.mkdir()
    (Counted.folder / "model.safetensors").write_bytes(b"last week's")
    return Counted.folder


def weights_of(result: dict[str, Any]) -> list[str | None]:
    return [run["weights"] for run in result["runs"]]


def test_every_run_says_its_weights(tmp_path: Path, weights: Path) -> None:
    assert weights_of(reproduce(ROW, Path(), tmp_path, Wish([0], ["plain"]))) == [digest(b"last week's")] * 2
    (weights / "background.safetensors").write_bytes(b"beside it")
    (weights / "README.md").write_bytes(b"of no weight")
    both = reproduce(ROW, Path(), tmp_path / "both", Wish([0], ["plain"]))
    assert weights_of(both) == [digest(b"last week's", b"beside it")] * 2


@pytest.mark.parametrize("file", ["model.safetensors", "background.safetensors"])
def test_other_weights_are_not_mixed(tmp_path: Path, weights: Path, file: str) -> None:
    out = tmp_path / "out"
    reproduce(ROW, Path(), out, Wish([0], ["more"]))
    Counted.asked.clear()
    before = (weights / "model.safetensors").read_bytes()
    (weights / file).write_bytes(b"today's")
    refused(out, Wish([1], ["more"]), r"toy.json holds 'more' with other weights \(\w{16}, and now \w{16}\); choose")
    refused(out, Wish([0], ["more"]), "with other weights")  # even where nothing is missing
    assert len(reproduce(ROW, Path(), out, Wish([0], ["plain"]))["runs"]) == 4  # another variant's may be others
    (weights / "background.safetensors").unlink(missing_ok=True)
    (weights / "model.safetensors").write_bytes(before)
    with pytest.raises(InputError, match="holds 'plain' with other weights"):
        reproduce(ROW, Path(), out, Wish([1], ["plain"]))
    assert len(reproduce(ROW, Path(), out, Wish([1], ["more"]))["runs"]) == 6


def test_weights_that_are_unknown_are_taken_as_they_are(tmp_path: Path, weights: Path) -> None:
    path = tmp_path / "toy.json"
    result = reproduce(ROW, Path(), tmp_path, Wish([0], ["plain"]))
    for run in result["runs"]:
        del run["weights"]
    path.write_text(json.dumps(result))
    (weights / "model.safetensors").write_bytes(b"today's")
    assert weights_of(reproduce(ROW, Path(), tmp_path, Wish([1], ["plain"])))[2:] == [digest(b"today's")] * 2
    (weights / "model.safetensors").unlink()  # as those of a training that is still to come
    assert weights_of(reproduce(ROW, Path(), tmp_path, Wish([2], ["plain"])))[4:] == [None, None]


def test_weights_trained_anew_are_not_mixed_either(tmp_path: Path, weights: Path, monkeypatch) -> None:
    def train(*_: object) -> dict[str, float]:
        (weights / "model.safetensors").write_bytes(b"today's")
        return {"score": 1.0}

    reproduce(ROW, Path(), tmp_path, Wish([0], ["plain"]))
    before = (tmp_path / "toy.json").read_bytes()
    (weights / "model.safetensors").unlink()
    monkeypatch.setattr(Counted, "measure", train)
    with pytest.raises(InputError, match="holds 'plain' with other weights"):
        reproduce(ROW, Path(), tmp_path, Wish([1], ["plain"]))
    assert (tmp_path / "toy.json").read_bytes() == before


def test_a_model_is_looked_up_once(tmp_path: Path, monkeypatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(weights_module, "model_folder", lambda name: seen.append(name) or tmp_path / "snapshot")
    monkeypatch.setattr(Counted, "measure", lambda *_: {"score": 1.0})
    monkeypatch.setattr(Counted, "weights", lambda _, settings, seed: seen.append(settings["model"]))
    result = reproduce(ROW, Path(), tmp_path, Wish([0, 1], ["more"]))
    assert seen == ["shipped", *[str(tmp_path / "snapshot")] * 4]
    assert result["variants"]["more"]["model"] == "shipped"


RUN = {"variant": "plain", "seed": 0, "part": "a", "values": {"score": 1.0}, "git_revision": None}
WHOLE = {"name": "toy", "variants": {"plain": {"add": 0}}, "runs": [RUN]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read as JSON"),
        (json.dumps(WHOLE)[:-9], "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[]", "is no result of toy"),
        ("null", "is no result of toy"),
        (json.dumps({"sets": {}}), r"is no result of toy \(name: "),
        (json.dumps({**WHOLE, "name": "et-dd"}), "is a result of et-dd, not of toy; choose another --output"),
        (json.dumps({**WHOLE, "variants": ["plain"]}), r"is no result of toy \(variants: "),
        (json.dumps({**WHOLE, "runs": {}}), r"is no result of toy \(runs: "),
        (json.dumps({**WHOLE, "runs": [{**RUN, "values": {"score": "high"}}]}), r"\(runs.0.values.score: "),
        (json.dumps({**WHOLE, "runs": [{**RUN, "part": None}]}), r"\(runs.0.part: "),
        (json.dumps({**WHOLE, "runs": [{**RUN, "values": {"score": float("nan")}}]}), r"\(runs.0.values.score: "),
        (json.dumps({**WHOLE, "runs": [{**RUN, "values": {}}]}), r"\(runs.0.values: "),
        (json.dumps({**WHOLE, "runs": [{**RUN, "seeds": 1}]}), r"\(runs.0.seeds: no such key; did you mean seed\?\)"),
        (json.dumps({**WHOLE, "runs": [RUN, RUN]}), r"\(runs: 'a' of 'plain' with seed 0 is there twice\); choose"),
        (json.dumps({**WHOLE, "variants": {}}), r"\(runs: 'plain' is none of the variants\); choose another --output"),
        (json.dumps({**WHOLE, "runs": [{**RUN, "part": "c"}]}), "holds 'c' of 'plain', which is no part of it; choose"),
        (
            json.dumps({**WHOLE, "runs": [{**RUN, "weights": "ab"}]}),
            r"weights \(ab\), of which it has none; choose",
        ),
    ],
)
def test_a_file_that_is_no_result_of_the_row_stays_as_it_is(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "toy.json").write_text(content)
    refused(tmp_path, Wish(), said)


def test_parts_of_variants_that_are_not_run_now_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text(json.dumps({**WHOLE, "runs": [{**RUN, "part": "c", "weights": "ab"}]}))
    assert len(reproduce(ROW, Path(), tmp_path, Wish([0], ["more"]))["runs"]) == 3


def test_figures_are_said_with_four_digits(tmp_path: Path, capsys) -> None:
    Counted.value = 1 / 3
    reproduce(ROW.model_copy(update={"main": "other"}), Path(), tmp_path, Wish([0], ["plain"]))
    Counted.value = float("inf")
    reproduce(ROW.model_copy(update={"main": "other"}), Path(), tmp_path, Wish([1], ["plain"]))
    said = capsys.readouterr().err.splitlines()
    assert said == [f"plain, seed {s}, {p}: other {x}" for s, x in ((0, "0.3333"), (1, "not finite")) for p in "ab"]


def test_weights_are_read_once_while_they_stay_as_they_are(tmp_path: Path, weights: Path, monkeypatch) -> None:
    read: list[str] = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or whole(path))
    reproduce(ROW, Path(), tmp_path, Wish([0, 1], ["plain"]))
    assert read == ["model.safetensors"]
    (weights / "model.safetensors").write_bytes(b"today's")
    with pytest.raises(InputError, match="holds 'plain' with other weights"):
        reproduce(ROW, Path(), tmp_path, Wish([2], ["plain"]))
    assert read == ["model.safetensors"] * 2


def test_no_folder_is_left_where_nothing_was_measured(tmp_path: Path, monkeypatch) -> None:
    def missing(*_: object) -> dict[str, float]:
        raise InputError("the set is missing; fetch it")

    monkeypatch.setattr(Counted, "measure", missing)
    refused(tmp_path / "new" / "deeper", Wish(), "the set is missing")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_wished(tmp_path: Path) -> None:
    refused(tmp_path, Wish([0, -1]), "seed -1 cannot be; choose one from 0 to 4294967295")
    refused(tmp_path, Wish([2**32]), "seed 4294967296 cannot be")
    refused(tmp_path, Wish(variants=["less"]), "toy has no variant 'less'; choose one of plain, more")
    refused(tmp_path, Wish(settings={"model": "mine"}), "toy, plain: takes no model from elsewhere; leave out --model")


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(tmp_path / "file", Wish(), "file cannot be written to")
    refused(tmp_path / "file" / "deeper", Wish(), "cannot be written to")
    (tmp_path / "toy.json").mkdir()
    refused(tmp_path, Wish(), "toy.json cannot be read as JSON")
