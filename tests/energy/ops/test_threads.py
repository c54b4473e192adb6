"""Rows shared out among threads: torch's where there are any, else our own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from attractor.energy.ops import threads
from many_threads import cut_for_two_threads


@pytest.fixture(params=["torch's", "own"])
def own(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> bool:
    """Whether threads are our own."""
    if request.param == "own":
        monkeypatch.setattr(threads, "_team", None)
    elif threads._find_team() is None:
        pytest.skip("torch's threads are out of reach here")
    return request.param == "own"


@pytest.mark.parametrize("count", [2, 3])
def test_work_runs_on_so_many_threads_at_once(own: bool, count: int) -> None:
    everybody, seen = threading.Barrier(count, timeout=30), set()

    def work() -> None:
        everybody.wait()
        seen.add(threading.get_native_id())

    threads.on_threads(work, count)
    assert len(seen) == count


def test_torch_lends_the_threads_it_computes_on() -> None:
    if threads._team is None:
        pytest.skip("torch's threads are out of reach here")
    if torch.get_num_threads() == 1:
        pytest.skip("torch computes on one thread here")
    work = torch.randn(2000, 2000)
    work @ work
    before = set(Path("/proc/self/task").iterdir())
    threads.on_threads(lambda: time.sleep(0.01), torch.get_num_threads())
    assert set(Path("/proc/self/task").iterdir()) == before


def test_what_fails_on_a_thread_fails_for_the_caller(own: bool) -> None:
    def work() -> None:
        raise ArithmeticError("on a thread")

    with pytest.raises(ArithmeticError, match="on a thread"):
        threads.on_threads(work, 2)


def test_every_row_is_given_out_once(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_for_two_threads(monkeypatch, own)
    rows = torch.zeros(100, dtype=torch.int64)

    def kernel(indptr: object, rows: torch.Tensor, first: int, last: int) -> None:
        rows[first:last] += 1

    threads.over_rows(kernel, torch.arange(101) ** 2, rows)  # ever longer rows
    assert (rows == 1).all()


def test_work_that_is_small_stays_on_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "on_threads", None)
    calls = []
    threads.over_rows(lambda *arguments: calls.append(arguments[-2:]), torch.arange(11))
    assert calls == [(0, 10)]


def test_two_callers_at_once(own: bool) -> None:
    def call(_: int) -> int:
        seen: list[int] = []
        threads.on_threads(lambda: seen.append(1), 2)
        return len(seen)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, range(16))) == [2] * 16


def test_another_system_has_no_team(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: str) -> None:
        raise OSError(path)

    monkeypatch.setattr(threads.ctypes, "CDLL", absent)
    assert threads._find_team() is None
