"""Archives that open, and are the same file ever after."""

from __future__ import annotations

import os
import zipfile
from functools import cache
from pathlib import Path

import pooch

from attractor.console import stderr
from attractor.data.tars import open_tar
from attractor.errors import InputError
from attractor.files import write_text


def check(path: Path, published: str | None) -> None:
    """Raise unless the archive has the hash it had when it first opened; keep and print that of a new one."""
    found, known = sha256(path), recorded(path)
    if known is None:
        if not opens(path, path.name):
            raise InputError(f"{path} is no {kind(path.name)} archive, or not all of it; delete it to fetch it again")
        _keep(path, found)
        if published and not pooch.hashes.hash_matches(path, published):
            _say_once(f"{path} is not the published archive ({published}); used as it is")
    elif found != known:
        remedy = f"delete {record(path)} if this one is right, both to fetch it again"
        raise InputError(f"{path} is not the file it was; {remedy}")


def opens(path: Path, name: str) -> bool:
    """Whether the file is the kind of archive that ``name`` says; a zip that is cut off lacks its end."""
    if kind(name) == "zip":
        return zipfile.is_zipfile(path)
    try:
        open_tar(path).close()
    except Exception:  # damaged archives raise as many kinds as damaged images
        return False
    return True


def kind(name: str) -> str:
    """What an archive of this name is."""
    return "zip" if name.endswith(".zip") else "tar"


def record(path: Path) -> Path:
    """The file beside an archive that keeps its hash."""
    return path.with_name(f"{path.name}.sha256")


def recorded(path: Path) -> str | None:
    """The hash that the archive had when it first opened."""
    return record(path).read_text(encoding="utf-8").strip() if record(path).exists() else None


def sha256(path: Path) -> str:
    """The hash of a file in hexadecimal digits; raises :class:`InputError` where it cannot be read."""
    try:
        return str(pooch.file_hash(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions") from None


def is_writable(folder: Path) -> bool:
    """Whether files are meant to be written there: root can write even where nobody may."""
    return os.access(folder, os.W_OK) and bool(folder.stat().st_mode & 0o222)


def _keep(path: Path, found: str) -> None:
    if is_writable(path.parent):
        write_text(record(path), f"{found}\n")
        stderr.print(f"{path}: SHA-256 {found}, kept in {record(path).name}")
    else:
        _say_once(f"{path}: SHA-256 {found[:8]}..., not kept, for the folder is read-only")


@cache
def _say_once(line: str) -> None:
    """For what would be said again at each look."""
    stderr.print(line)
