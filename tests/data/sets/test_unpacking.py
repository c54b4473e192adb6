"""Archives as folders: once, whole or not at all, and nothing outside."""

import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from miniatures import as_folder, as_tar, as_zip

from attractor.data.sets import unpacking
from attractor.data.sets.unpacking import unpacked_folder
from attractor.data.sources import find_images
from refusals import refusal

FILES = {"set/train/a/1.png": b"one", "set/train/b/2.png": b"two", "set/empty.txt": b""}


def refused(archive: Path, *said: str) -> None:
    """One line, and the folder as it was."""
    before = sorted(archive.parent.rglob("*"))
    with refusal(str(archive), *said):
        unpacked_folder(archive, archive.parent / "into")
    assert sorted(archive.parent.rglob("*")) == before


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != unpacking.RECORD)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def packed(path: Path, files: dict[str, bytes]) -> Path:
    return as_zip(path, files) if path.suffix == ".zip" else as_tar(path, files)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_files_come_out_once_without_the_folder_around_them(tmp_path: Path, name: str) -> None:
    into = unpacked_folder(packed(tmp_path / name, FILES), tmp_path / "deep" / "into")
    assert contents(into) == {name.removeprefix("set/"): content for name, content in FILES.items()}
    assert [path.name for path in into.parent.iterdir()] == ["into"]
    before = (into / "empty.txt").stat().st_ino
    (tmp_path / name).touch()  # which changes nothing in it
    assert unpacked_folder(tmp_path / name, into) == into and (into / "empty.txt").stat().st_ino == before


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_an_archive_that_has_changed_is_unpacked_anew(tmp_path: Path, capsys, name: str) -> None:
    into = unpacked_folder(packed(tmp_path / name, FILES), tmp_path / "into")
    (tmp_path / name).write_bytes(b"damaged")
    refused(tmp_path / name, "cannot be unpacked", "copy it again")
    assert len(contents(into)) == 3
    packed(tmp_path / name, {"set/new.png": b"new"})
    assert contents(unpacked_folder(tmp_path / name, into)) == {"new.png": b"new"}
    assert "anew, for it has changed" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "into"]


def test_a_folder_or_file_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    path = as_tar(tmp_path / "a.tar", FILES)
    (tmp_path / "into").write_bytes(b"mine")
    refused(path, "cannot be unpacked")
    assert (tmp_path / "into").read_bytes() == b"mine"
    into = as_folder(tmp_path / "own", {"1.png": b"mine"})
    assert contents(unpacked_folder(path, into)) == {"1.png": b"mine"}


def test_what_says_where_a_folder_is_from_is_no_image_in_it(tmp_path: Path) -> None:
    files = {"train/a/1.png": b"", unpacking.RECORD: b"of another"}
    into = unpacked_folder(as_zip(tmp_path / "a.zip", files), tmp_path / "into")
    assert find_images(into) == [into / "train/a/1.png"]
    assert unpacking.is_unpacked(tmp_path / "a.zip", into)


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


def test_another_process_that_unpacks_the_new_archive_counts(tmp_path: Path, monkeypatch) -> None:
    """It is not replaced, for its folder may be read by now."""
    path, into = as_tar(tmp_path / "a.tar", FILES), tmp_path / "into"
    unpacked_folder(path, into)
    as_tar(path, {"set/new.png": b"new"})
    theirs, unpack = [], unpacking._unpack

    def too_slow(archive: Path, folder: Path) -> None:
        monkeypatch.setattr(unpacking, "_unpack", unpack)
        theirs.append(unpacked_folder(path, into).stat().st_ino)
        unpack(archive, folder)

    monkeypatch.setattr(unpacking, "_unpack", too_slow)
    assert [unpacked_folder(path, into).stat().st_ino] == theirs
    assert contents(into) == {"new.png": b"new"}
