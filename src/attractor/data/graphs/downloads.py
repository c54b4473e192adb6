"""Archives of published sets: fetched once, and the same file ever after."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pooch

from attractor.console import stderr
from attractor.errors import InputError
from attractor.files import write_text

LIMIT = 2**32  # bytes of one file of an archive, unpacked


def fetched(path: Path, base_url: str) -> Path:
    """The archive at ``path``, fetched from ``base_url`` under the same name where it is missing.

    Its SHA-256 is printed and kept in a ``.sha256`` beside it when it first comes; later it must be the same. Raises
    :class:`InputError`.
    """
    if not path.exists():
        _fetch(f"{base_url.rstrip('/')}/{path.name}", path)
    _check(path)
    return path


def _fetch(url: str, path: Path) -> None:
    """A zip archive that appears whole, and as it was if it was here before, or not at all."""
    stderr.print(f"Fetching {url}")
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(url, _recorded(path), path.name, path.parent)
    except (OSError, ValueError) as error:  # every failure of the network is an OSError, another hash a ValueError
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{url} cannot be fetched ({reason}); fetch it by hand into {path.parent}") from None
    if not zipfile.is_zipfile(path):
        path.unlink()
        raise InputError(f"{url} gave no zip archive but some page; fetch it by hand into {path.parent}")


def _check(path: Path) -> None:
    """Raise unless the file has the hash it had when it was first seen; keep and print that of a new one."""
    found, known = pooch.file_hash(path), _recorded(path)
    if known is None:
        write_text(_record(path), f"{found}\n")
        stderr.print(f"{path}: SHA-256 {found}, kept in {_record(path).name}")
    elif found != known:
        raise InputError(f"{path} is not the file it was ({_record(path).name}); delete both to fetch it again")


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _recorded(path: Path) -> str | None:
    return _record(path).read_text(encoding="utf-8").strip() if _record(path).exists() else None


def unpacked(path: Path, member: str) -> bytes:
    """The one file of the archive that is wanted, in whatever folder it lies."""
    with zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if Path(info.filename).name == member]
        if not found:
            raise InputError(f"{path} holds no {member}; delete it to fetch it again")
        if (size := found[0].file_size) > LIMIT:
            raise InputError(f"{path}: {member} claims {size >> 30:,} GiB, more than {LIMIT >> 30}; refused")
        return archive.read(found[0])
