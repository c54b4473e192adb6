"""Archives as folders: once, whole or not at all, and nothing outside."""

import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from miniatures import as_tar, as_zip

from attractor.data.sets import unpacking
from attractor.data.sets.unpacking import unpacked_folder
from attractor.errors import InputError

FILES = {"set/train/a/1.png": b"one", "set/train/b/2.png": b"two", "set/empty.txt": b""}


def refused(archive: Path, *said: str) -> None:
    """One line, and the folder as it was."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(InputError) as caught:
        unpacked_folder(archive, archive.parent / "into")
    message = str(caught.value)
    assert "\n" not in message and all(words in message for words in (str(archive), *said)), message
    assert sorted(archive.parent.rglob("*")) == before


def packed(path: Path, files: dict[str, bytes]) -> Path:
    return as_zip(path, files) if path.suffix == ".zip" else as_tar(path, files)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_files_come_out_once_without_the_folder_around_them(tmp_path: Path, name: str) -> None:
    into = unpacked_folder(packed(tmp_path / name, FILES), tmp_path / "deep" / "into")
    found = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
    assert found == {name.removeprefix("set/"): content for name, content in FILES.items()}
    assert [path.name for path in into.parent.iterdir()] == ["into"]
    (tmp_path / name).write_bytes(b"no archive any more")
    assert unpacked_folder(tmp_path / name, into) == into


def test_archives_without_a_folder_around_their_files(tmp_path: Path) -> None:
    into = unpacked_folder(as_zip(tmp_path / "a.zip", {"train/1.png": b"1", "test/2.png": b"2"}), tmp_path / "into")
    assert (into / "train/1.png").read_bytes() == b"1" and (into / "test/2.png").read_bytes() == b"2"


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize("name", ["../out.png", "set/../../out.png", "/tmp/out.png", "..\\out.png", "C:/out.png"])
def test_members_that_lead_out(tmp_path: Path, suffix: str, name: str) -> None:
    refused(packed(tmp_path / f"a{suffix}", {**FILES, name: b"out"}), "leads out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(as_tar(tmp_path / "a.tar", FILES), "a") as archive:
        info = tarfile.TarInfo("set/odd")
        info.type, info.linkname = kind, "set/empty.txt"
        archive.addfile(info)
    refused(tmp_path / "a.tar", "'set/odd' is a link or a device")


def test_links_in_a_zip(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("set/odd")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(as_zip(tmp_path / "a.zip", FILES), "a") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "'set/odd' is a link or a device")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(("limit", "value"), [("MAX_TOTAL", 5), ("MAX_FILES", 2)])
def test_absurd_sizes(tmp_path: Path, monkeypatch, suffix: str, limit: str, value: int) -> None:
    monkeypatch.setattr(unpacking, limit, value)
    refused(packed(tmp_path / f"a{suffix}", FILES), "more than", "refused")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_damaged_archives_leave_nothing(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, {**FILES, "set/noise.png": os.urandom(50_000)})
    path.write_bytes(path.read_bytes()[:30_000])
    refused(path, "cannot be unpacked", "copy it again")
    path.write_bytes(b"")
    refused(path, "cannot be unpacked")


def test_a_tar_cut_between_its_members_is_not_a_smaller_one(tmp_path: Path) -> None:
    path = as_tar(tmp_path / "a.tar", FILES)
    with tarfile.open(path) as archive:
        second = archive.getmembers()[-1].offset
    path.write_bytes(path.read_bytes()[:second])
    refused(path, "cannot be unpacked", "copy it again")


def test_another_process_that_was_faster_counts(tmp_path: Path, monkeypatch) -> None:
    path, into = as_tar(tmp_path / "a.tar", FILES), tmp_path / "into"

    def unpack(archive: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "mine").touch()
        into.mkdir()
        (into / "theirs").touch()

    monkeypatch.setattr(unpacking, "_unpack", unpack)
    assert [found.name for found in unpacked_folder(path, into).iterdir()] == ["theirs"]
