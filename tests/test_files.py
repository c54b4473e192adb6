"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attractor.errors import InputError
from attractor.files import (
    discard_unfinished,
    read_json,
    replacing,
    replacing_together,
    require_writable,
    write_json,
    write_text,
)
from refusals import refusal


def test_text_and_json_come_back(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "folder" / "a.txt", "größe\n")
    assert (tmp_path / "new" / "folder" / "a.txt").read_text(encoding="utf-8") == "größe\n"
    write_json(tmp_path / "a.json", {"b": [1, 0.1, None, "ü"]})
    assert read_json(tmp_path / "a.json") == {"b": [1, 0.1, None, "ü"]}


def test_the_temporary_name_is_beside_with_the_same_suffix(tmp_path: Path) -> None:
    with replacing(tmp_path / "figure.pdf") as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".pdf")
        temporary.write_bytes(b"x")
        assert not (tmp_path / "figure.pdf").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["figure.pdf"]


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, interruption: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(interruption), replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise interruption
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_files_that_belong_together_are_all_new_or_all_old(tmp_path: Path) -> None:
    paths = [write_text(tmp_path / name, "old") for name in ("a.txt", "b.txt")]
    with pytest.raises(ValueError), replacing_together(paths) as (first, _):
        write_text(first, "new")
        raise ValueError
    assert [path.read_text() for path in paths] == ["old", "old"]
    with replacing_together(paths) as temporaries:
        for temporary in temporaries:
            write_text(temporary, "new")
    assert [path.read_text() for path in paths] == ["new", "new"] and len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a library makes an error of its own of it."""
    with pytest.raises(InputError, match=r"a\.txt cannot be written: the disk is full"), replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(InputError, match=r"the disk is full"), replacing(tmp_path / "a.txt"):
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a.txt"):
        raise RuntimeError("unexpected pos")
    monkeypatch.setattr("attractor.files.NO_ROOM", 2**60)
    with pytest.raises(InputError, match=r"the disk is full"), replacing(tmp_path / "a.txt"):
        raise RuntimeError("unexpected pos")


def test_json_is_standard_whatever_the_numbers(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [float("-inf"), np.float32(0.5)], "c": np.arange(2)})
    assert "NaN" not in (tmp_path / "a.json").read_text()
    assert read_json(tmp_path / "a.json") == {"a": None, "b": [None, 0.5], "c": [0, 1]}


def test_files_have_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_what_a_killed_writer_left_is_discarded_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "best" / "a.txt", "kept")
    (tmp_path / ".hidden").touch()
    writer = (
        "from attractor.files import replacing; from pathlib import Path; import os, sys; "
        "writing = replacing(Path(sys.argv[1])); print(writing.__enter__(), flush=True); "
    )
    for name in ("best", "."):
        command = [sys.executable, "-c", writer + "os.abort()", tmp_path / name / "b"]
        left = subprocess.run(command, capture_output=True, text=True)
        assert Path(left.stdout.strip()).exists()
    command = [sys.executable, "-c", writer + "sys.stdin.read()", tmp_path / "best" / "c"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writing:
        unfinished = Path(writing.stdout.readline().strip())
        discard_unfinished(tmp_path)
        assert unfinished.exists()
        writing.kill()
    discard_unfinished(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [".hidden", "a.txt"]


def test_a_folder_that_cannot_be_is_named_in_one_line(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "")
    with pytest.raises(InputError, match="cannot be written") as caught:
        write_text(tmp_path / "file" / "a.txt", "a")
    assert str(tmp_path / "file" / "a.txt") in str(caught.value) and "\n" not in str(caught.value)


def test_trying_a_folder_leaves_it_as_it_was(tmp_path: Path) -> None:
    write_text(tmp_path / "probe", "somebody's")
    require_writable(tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("probe", "somebody's")]
    with pytest.raises(InputError, match="probe cannot be written"):
        require_writable(tmp_path / "probe")
    require_writable(tmp_path / "new" / "folder")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_broken_json_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with refusal(match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_a_key_given_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"model": {"dim": 1, "heads": 2, "dim": 3}}')
    with pytest.raises(InputError, match=r"a\.json cannot be read as JSON \(dim is given twice\); write it again"):
        read_json(tmp_path / "a.json")


def test_missing_json_and_a_folder_of_that_name_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    for name in ("none.json", "folder.json"):
        with pytest.raises(InputError, match=name):
            read_json(tmp_path / name)
