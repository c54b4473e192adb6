"""Tar archives that end where they should, and those that do not."""

import gzip
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


def zeroed(path: Path, begin: int, end: int | None = None) -> None:
    """Overwrite a part of an archive with zeros; a compressed one holds the same, and is compressed anew."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        content = bytearray(file.read())
    end = end or len(content)
    content[begin:end] = bytes(end - begin)
    with opened(path, "wb") as file:
        file.write(content)


def many(path: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for i in range(50):
            info = tarfile.TarInfo(f"{i}")
            info.size = 5000
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    with tarfile.open(path) as archive:
        return archive.getmembers()


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
@pytest.mark.parametrize("size", [512, 4096, None])
def test_zeros_among_the_members_are_not_the_end(tmp_path: Path, name: str, size: int | None) -> None:
    begin = many(tmp_path / name)[25].offset
    zeroed(tmp_path / name, begin, size and begin + size)
    said = "more than end an archive" if size is None else "and more after them"
    with pytest.raises(tarfile.ReadError, match=f"zeros .*byte {begin:,}.*{said}"):
        names(tmp_path / name)


def test_zeros_after_a_long_name_are_not_the_end(tmp_path: Path) -> None:
    begin = pack(tmp_path / "a.tar", tarfile.GNU_FORMAT).index(b"././@LongLink") + 1024
    zeroed(tmp_path / "a.tar", begin, begin + 512)
    with pytest.raises(tarfile.ReadError, match=f"zeros at byte {begin:,}"):
        names(tmp_path / "a.tar")


@pytest.mark.parametrize("record", [512, 10_240, 2**16, 2**20])
def test_an_end_as_long_as_writers_make_it(tmp_path: Path, record: int) -> None:
    path = tmp_path / "a.tar"
    content = pack(path, tarfile.GNU_FORMAT).rstrip(b"\0")
    content += bytes(-len(content) % 512 + 1024)
    path.write_bytes(content + bytes(-len(content) % record))
    assert names(path) == ["first", LONG, "last"]


def test_zeros_without_end_are_not_unpacked(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", tarfile.GNU_FORMAT)
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write((tmp_path / "a.tar").read_bytes())
        file.write(bytes(2**24))
    with open_tar(tmp_path / "a.tar.gz") as archive:
        with pytest.raises(tarfile.ReadError, match="more than end an archive"):
            archive.getmembers()
        assert archive.fileobj.tell() < 2**21


def test_a_compressed_archive_is_whole_to_its_last_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    many(path)
    path.write_bytes(path.read_bytes()[:-8])  # its checksum
    with pytest.raises(EOFError):
        names(path)
