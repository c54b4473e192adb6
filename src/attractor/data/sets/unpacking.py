"""Archives of images as folders: unpacked when they change, whole or not at all, and nothing in them can reach out."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from attractor.console import stderr
from attractor.data.checksums import sha256
from attractor.data.tars import open_tar
from attractor.errors import InputError, one_line
from attractor.files import UNFINISHED

MAX_TOTAL = 2**36  # bytes of all files together
MAX_FILES = 2**22
RECORD = ".unpacked-from"  # in the folder, hidden from all that read images: the SHA-256 of the archive

Member = tuple[str, int, IO[bytes] | None]  # name, size, and content, which a folder has none of


def unpacked_folder(archive: Path, into: Path) -> Path:
    """The files of a zip or tar archive in the folder ``into``, without the folder that wraps them all.

    An existing folder ``into`` is kept if :func:`is_unpacked`, else replaced; but see :func:`is_unpacked` for the
    user's own. Raises :class:`InputError`, and leaves all as it was, on a damaged archive, a member that leads out of
    it, a link or a device, and sizes that no set of images has.
    """
    if is_unpacked(archive, into):
        return into
    stderr.print(f"Unpacking {archive} {'anew, for it has changed, ' if into.is_dir() else ''}into {into}")
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into.parent, prefix=UNFINISHED) as temporary:
            found = sha256(archive)  # first: of one that is replaced meanwhile the old hash is kept
            _unpack(archive, Path(temporary) / "new")
            folder = _unwrapped(Path(temporary) / "new")
            (folder / RECORD).write_text(f"{found}\n", encoding="utf-8")
            if not is_unpacked(archive, into):  # by another process meanwhile
                _replace(into, folder, Path(temporary) / "old")
    except InputError:
        raise
    except Exception as error:  # damaged archives raise as many kinds as damaged images
        raise InputError(
            f"{archive} cannot be unpacked into {into.parent} ({one_line(error)}); copy it again"
        ) from error
    return into


def is_unpacked(archive: Path, folder: Path) -> bool:
    """Whether the folder is of the archive as it is now, or was not unpacked here and so is the user's own."""
    record = folder / RECORD
    if not record.is_file():
        return folder.is_dir()
    return record.read_text(encoding="utf-8", errors="replace").strip() == sha256(archive)


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


def _replace(into: Path, folder: Path, old: Path) -> None:
    if (into / RECORD).is_file():
        with suppress(FileNotFoundError):
            into.rename(old)
    try:
        folder.rename(into)
    except OSError:
        if not into.is_dir():  # where it is, another process was faster
            raise
