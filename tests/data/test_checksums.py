"""What an archive was when it first opened, and what never opened."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from attractor.data.checksums import check, record
from refusals import refusal


def pack(path: Path) -> bytes:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.bin", b"a" * 5000)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            archive.add(__file__, "a.bin")
    return path.read_bytes()


def refused(path: Path) -> str:
    with refusal() as caught:
        check(path, None)
    return str(caught.value)


@pytest.mark.parametrize(("name", "kept"), [("a.zip", 3000), ("a.zip", 0), ("a.tar", 300), ("a.tar.gz", 30)])
def test_what_does_not_open_is_not_recorded(tmp_path: Path, name: str, kept: int) -> None:
    path = tmp_path / name
    whole = pack(path)
    path.write_bytes(whole[:kept])
    kind = name.split(".")[1]
    assert refused(path) == f"{path} is no {kind} archive, or not all of it; delete it to fetch it again"
    assert not record(path).exists()
    path.write_bytes(whole)
    check(path, None)
    check(path, None)


def test_another_file_than_before(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    whole = pack(path)
    path.write_bytes(b"before" + whole)  # which still opens
    check(path, None)
    path.write_bytes(whole)
    said = f"{path} is not the file it was; delete {record(path)} if this one is right, both to fetch it again"
    assert refused(path) == said
    record(path).unlink()
    check(path, None)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.zip").mkdir()
    assert "a.zip cannot be read (" in refused(tmp_path / "a.zip")
