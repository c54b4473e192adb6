"""The engine on a kind that counts: interrupted, resumed, extended, and what it refuses."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from attractor.errors import InputError
from attractor.reproduce import run as module
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

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        for number, name in enumerate("ab"):
            yield Part(name, partial(self.measure, settings["add"], seed, name, number))

    def measure(self, add: int, seed: int, name: str, number: int) -> dict[str, float]:
        if len(self.asked) == self.stop:
            raise KeyboardInterrupt
        self.asked.append((add, seed, name))
        return {"score": add + seed + number / 10, "other": Counted.value}


@pytest.fixture(autouse=True)
def counted(monkeypatch) -> type[Counted]:
    Counted.asked, Counted.stop, Counted.value = [], None, 1.0
    monkeypatch.setitem(KINDS, "graphs", Counted)
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
    ],
)
def test_a_file_that_is_no_result_of_the_row_stays_as_it_is(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "toy.json").write_text(content)
    refused(tmp_path, Wish(), said)


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
