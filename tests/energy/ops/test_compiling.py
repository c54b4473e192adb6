"""Machine code: kept for the next process, and made anew where it is stale, damaged or cannot be kept."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile

from attractor.energy.ops import compiling


def test_compiles_anew_where_no_folder_keeps_what_is_compiled() -> None:
    assert compiling.compiled(eval("lambda a: a + 1"))(1) == 2


Process = Callable[[int], tuple[int, bool]]


@pytest.fixture
def next_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Process:
    """What a loop gives where the number in a file beside it is this, and whether it was compiled for that."""
    (tmp_path / "kept_loop.py").write_text(
        "from attractor.energy.ops.compiling import compiled\nfrom imported_number import NUMBER\n\n\n"
        "@compiled\ndef number():\n    return NUMBER\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def run(number: int) -> tuple[int, bool]:
        (tmp_path / "imported_number.py").write_text(f"NUMBER = {number}\n")
        compiling._digest.cache_clear()
        for name in ("kept_loop", "imported_number"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        loop = importlib.import_module("kept_loop").number
        return loop(), bool(loop.stats.cache_misses)

    return run


def test_keeps_what_is_compiled_until_a_file_beside_it_changes(next_process: Process) -> None:
    assert [next_process(number) for number in (1, 1, 20)] == [(1, True), (1, False), (20, True)]


@pytest.mark.parametrize("length", [0, 20, 50])
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_what_was_kept_and_is_damaged_is_compiled_anew(
    kind: str, length: int, next_process: Process, tmp_path: Path
) -> None:
    next_process(1)
    (kept,) = tmp_path.rglob(f"*.{kind}")
    kept.write_bytes(kept.read_bytes()[:length])
    assert [next_process(1), next_process(1)] == [(1, True), (1, False)]


def test_a_full_disk_keeps_nothing(next_process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as now:
        now.setattr(IndexDataCacheFile, "_open_for_write", full)
        assert [next_process(1), next_process(1)] == [(1, True), (1, True)]
    next_process(1)
    (index,) = tmp_path.rglob("*.nbi")
    index.write_bytes(b"")
    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", full)
    assert next_process(1) == (1, True)
