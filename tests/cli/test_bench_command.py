"""``attractor bench``: figures on stdout, JSON and pictures in a folder, and one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attractor.bench import cases, growth, inputs
from attractor.cli import bench
from attractor.errors import InputError
from sides_for_tests import TINY, tiny

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux's /proc")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """One small case and one short series, on the cores there are."""
    monkeypatch.setattr(cases, "CASES", {"tiny": tiny(tmp_path)})
    spec = {k: v for k, v in TINY.items() if k != "tokens"}
    monkeypatch.setattr(growth, "SERIES", {"tokens": ("image_et", {**spec, "batch": 1}, [2, 4])})
    monkeypatch.setattr(inputs, "PHOTOGRAPHS", 1)
    monkeypatch.setattr("attractor.bench.run.on_threads", lambda threads: threads)
    monkeypatch.setattr("attractor.bench.run.has_bf16", lambda device: True)
    return tmp_path


def run(*names: str, output: Path, peer: list[str] | None = None, **others: object) -> None:
    settings = {"python": [], "turns": 1, "threads": 1, "device": "cpu", "seed": 0, "as_json": False, **others}
    bench.bench(cases=list(names), peer=peer or [], output=output, **settings)  # type: ignore[arg-type]


@linux
def test_writes_figures_and_pictures(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clone = small / "clone"
    clone.mkdir()
    run(output=small / "out", peer=[f"et-torch={clone}"])
    found = json.loads((small / "out" / "bench-tiny.json").read_text())
    assert found["name"] == "tiny" and found["hardware"]["threads"] == 1 and found["git_revision"] is not None
    assert str(clone) not in json.dumps(found)
    rows = json.loads((small / "out" / "bench-growth.json").read_text())["series"]["tokens"]["rows"]
    assert {(r["tokens"], r["precision"], r["pass"]) for r in rows} == {
        (n, p, w) for n in (2, 4) for p in ("float32", "bfloat16") for w in ("forward", "train")
    }
    for picture in ("bench.png", "bench-growth.png"):
        assert (small / "out" / picture).read_bytes().startswith(b"\x89PNG")
    out, err = capsys.readouterr()
    assert "times faster than et-torch" in out and "tokens 4" in out
    assert "et-jax: skipped" in err


@linux
def test_json_for_machines(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("tiny", output=small, as_json=True)
    assert set(json.loads(capsys.readouterr().out)["tiny"]["passes"]) == {"forward", "train"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"names": ["no-such"]}, "no case is called 'no-such'; choose from"),
        ({"peer": ["nobody=."]}, "--peer takes NAME=PATH of a published code, not 'nobody'"),
        ({"peer": ["et-torch"]}, "--peer takes NAME=PATH"),
        ({"peer": ["et-torch=/no/such/place"]}, "/no/such/place is not there"),
        ({"python": ["et-torch=/no/python"]}, "/no/python is not there"),
        ({"device": "tpu"}, "device must be cpu or cuda, not 'tpu'"),
    ],
)
def test_bad_arguments(arguments: dict[str, list[str]], line: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=line):
        run(*arguments.pop("names", []), output=tmp_path / "out", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
