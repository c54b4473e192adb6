"""Archives of images as folders: unpacked once, whole or not at all, and nothing in them can reach out."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from attractor.data.downloads import one_line
from attractor.data.tars import open_tar
from attractor.errors import InputError
from attractor.files import UNFINISHED

MAX_TOTAL = 2**36  # bytes of all files together
MAX_FILES = 2**22

Member = tuple[str, int, IO[bytes] | None]  # name, size, and content, which a folder has none of


def unpacked_folder(archive: Path, into: Path) -> Path:
    """The files of a zip or tar archive in the folder ``into``, without the folder that wraps them all.

    A folder ``into`` that is there already stays as it is. Raises :class:`InputError`, and leaves nothing behind, on a
    damaged archive, a member that leads out of it, a link or a device, and sizes that no set of images has.
    """
    if into.is_dir():
        return into
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into.parent, prefix=UNFINISHED) as temporary:
            _unpack(archive, Path(temporary) / into.name)
            _move(_unwrapped(Path(temporary) / into.name), into)
    except InputError:
        raise
    except Exception as error:  # damaged archives raise as many kinds as damaged images
        raise InputError(
            f"{archive} cannot be unpacked into {into.parent} ({one_line(error)}); copy it again"
        ) from error
    return into


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir()
    count = total = 0
    for name, size, content in _zip(archive) if zipfile.is_zipfile(archive) else _tar(archive):
        count, total = count + 1, total + size
        if count > MAX_FILES or total > MAX_TOTAL:
            raise InputError(f"{archive}: more than {MAX_FILES:,} files or {MAX_TOTAL >> 30} GiB; refused")
        path = folder / _inside(archive, name)
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with content, path.open("wb") as file:
            shutil.copyfileobj(content, file)


def _tar(path: Path) -> Iterator[Member]:
    with open_tar(path) as archive:
        for member in archive:
            if not member.isfile() and not member.isdir():
                raise _odd(path, member.name)
            yield member.name, member.size, archive.extractfile(member)


def _zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _odd(path, info.filename)
            yield info.filename, info.file_size, None if info.is_dir() else archive.open(info)


def _odd(path: Path, name: str) -> InputError:
    return InputError(f"{path}: {name!r} is a link or a device, refused; make the archive anew from plain files")


def _inside(path: Path, name: str) -> PurePosixPath:
    """The place of a member below the folder it is unpacked into."""
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in name or "\0" in name:
        raise InputError(f"{path}: {name!r} leads out of the archive, refused; make it anew")
    return place


def _unwrapped(folder: Path) -> Path:
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _move(folder: Path, into: Path) -> None:
    try:
        folder.rename(into)
    except OSError:
        if not into.is_dir():  # where it is, another process was faster
            raise
