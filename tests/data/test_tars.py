"""Tar archives that end where they should, and those that do not."""

import io
import tarfile
from pathlib import Path

import pytest

from attractor.data.tars import open_tar

LONG = "a" * 300  # a name that takes headers of its own


def pack(path: Path, form: int) -> bytes:
    with tarfile.open(path, "w", format=form) as archive:
        for name in ("first", LONG, "last"):
            info = tarfile.TarInfo(name)
            info.size = 700
            archive.addfile(info, io.BytesIO(name[:1].encode() * 700))
    return path.read_bytes()


def names(path: Path) -> list[str]:
    with open_tar(path) as archive:
        return [member.name for member in archive]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_members_or_an_error(tmp_path: Path, form: int) -> None:
    path = tmp_path / "a.tar"
    whole = pack(path, form)
    assert names(path) == ["first", LONG, "last"]
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512  # of the last member; after it come zeros only
    for length in range(0, end + 512, 64):
        path.write_bytes(whole[:length])
        with pytest.raises((tarfile.ReadError, EOFError)) as caught:
            names(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole[: end + 512])
    assert names(path) == ["first", LONG, "last"]


def test_the_place_of_the_damage_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    whole = bytearray(pack(path, tarfile.GNU_FORMAT))
    whole[1536 + 10] ^= 1
    path.write_bytes(whole)
    with pytest.raises(tarfile.ReadError, match="bad checksum at byte 1,536"):
        names(path)


def test_an_archive_of_nothing_is_one(tmp_path: Path) -> None:
    tarfile.open(tmp_path / "a.tar", "w").close()
    assert names(tmp_path / "a.tar") == []
