"""Sides in processes of their own, in turns, and what is made of the figures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from attractor.bench.run import Side, measure, on_threads, summary
from attractor.errors import InputError
from sides_for_tests import sleeper, tiny

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from Linux's /proc")


@linux
def test_a_side_answers_with_time_and_memory(tmp_path: Path) -> None:
    with Side("sleeper", sleeper(tmp_path), {"mb": 50}) as side:
        assert side.ready == {"versions": {"sleeper": "1"}, "operations": {}}
        taken = side("forward")
    assert 0.05 <= taken["seconds"] < 5
    assert taken["cpu_seconds"] < taken["seconds"]
    assert 45 < taken["peak_mb"] < 80
    assert side.process.returncode == 0


def test_a_side_that_stops_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('no such library')")
    with pytest.raises(InputError, match="broken stopped before it had answered"):
        Side("broken", str(tmp_path / "broken"), {})


@linux
def test_every_side_takes_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.bench.run.has_bf16", lambda device: True)
    said: list[str] = []
    peers = {"et-torch": (tmp_path, sys.executable)}
    report = measure(tiny(tmp_path), peers, turns=2, seed=0, device="cpu", say=said.append)
    assert list(report["passes"]) == ["forward", "train"]
    sides = report["passes"]["forward"]["sides"]
    assert set(sides) == {"float32", "bfloat16", "et-torch"}
    ratio = sides["float32"]["times_faster"]["et-torch"]
    assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]  # which way round, the next test but one says
    assert set(report["rates"]) == {"float32", "bfloat16", "copy"} and min(report["rates"].values()) > 1e8
    assert any("et-jax: skipped" in line for line in said)
    assert report["runs_on"]["et-torch"] == {"sleeper": "1"}


@linux
def test_a_precision_that_is_only_emulated_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.bench.run.has_bf16", lambda device: False)
    said: list[str] = []
    report = measure(tiny(tmp_path), {}, turns=1, seed=0, device="cpu", say=said.append)
    assert set(report["passes"]["forward"]["sides"]) == {"float32"}
    assert set(report["rates"]) == {"float32", "copy"}
    assert any("bfloat16: skipped" in line for line in said)


def test_summary_takes_medians_and_ratios_within_a_turn() -> None:
    def turn(ours: float, theirs: float) -> dict[str, dict[str, float]]:
        return {
            "float32": {"seconds": ours, "cpu_seconds": ours, "peak_mb": 10 * ours},
            "peer": {"seconds": theirs, "cpu_seconds": theirs, "peak_mb": 1},
        }

    found = summary([turn(1, 2), turn(2, 8), turn(4, 4)], operations=3e9, rates={"float32": 3e9, "bfloat16": 1e12})
    ours = found["sides"]["float32"]
    assert ours["ms"] == 2000 and ours["peak_mb"] == 40
    assert ours["floor_ms"] == 1000 and ours["of_floor"] == 0.5
    assert ours["times_faster"] == {"peer": {"median": 2, "low": 1, "high": 4}}
    assert found["sides"]["peer"] == {"ms": 4000, "cpu_ms": 4000, "peak_mb": 1}


def test_threads_are_kept_to_cores_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[list[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 1, 7}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: kept.append(cores), raising=False)
    monkeypatch.setattr(os, "environ", {})
    assert on_threads(2) == 2
    assert kept == [[1, 3]] and os.environ["OMP_NUM_THREADS"] == "2"
    for threads in (0, 4):
        with pytest.raises(InputError, match="threads must be 1 to 3"):
            on_threads(threads)
    monkeypatch.delattr(os, "sched_setaffinity")
    with pytest.raises(InputError, match="on Linux"):
        on_threads(1)
