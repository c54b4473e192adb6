"""Archives of published sets: fetched once, and the same file ever after."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pooch
from filelock import FileLock, Timeout

from attractor.console import progress, stderr
from attractor.data.checksums import check, kind, opens, record, recorded
from attractor.errors import InputError, one_line

LIMIT = 2**32  # bytes of one file of an archive, unpacked
MIRROR = "ATTRACTOR_MIRROR"  # in the environment: an address that is asked before all others
_WHOLE, _REST, _NOTHING_LEFT = 200, 206, 416  # what a server says it sends


def fetched(path: Path, base_url: str, checksum: str | None = None) -> Path:
    """The archive at ``path``, fetched where it is missing: from the mirror, or else from ``base_url`` by its name.

    ``checksum``, ``"md5:..."`` or a SHA-256, is the published one: what is fetched must have it, and goes on where an
    earlier attempt was cut off. A file that lies there already is used as it is, if it opens. The SHA-256 of either is
    printed and kept in a ``.sha256`` beside it when it first comes; later it must be the same. Of several processes one
    fetches, and the others wait for it. Raises :class:`InputError`.
    """
    if not path.exists():
        addresses = [url for url in (os.environ.get(MIRROR), base_url) if url]
        with _alone(path):
            if not path.exists():  # it may have come while this process waited
                if checksum:
                    record(path).unlink(missing_ok=True)  # of a file that may have been another than the published
                _fetch_from_any(addresses, path, checksum or recorded(path))
    check(path, checksum)
    return path


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process fetches the archive; the system gives back the lock of one that was killed."""
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            stderr.print(f"{path}: another process fetches it; waiting")
            lock.acquire()
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another folder") from None
    try:
        yield
    finally:
        with suppress(OSError):  # where an open file cannot be removed
            Path(lock.lock_file).unlink()  # while it is held: who waits for it sees that and makes a new one
        lock.release()


def _fetch_from_any(base_urls: list[str], path: Path, checksum: str | None) -> None:
    """Failures are said; that of the last address is raised."""
    *others, last = (f"{base.rstrip('/')}/{path.name}" for base in base_urls)
    for url in others:
        try:
            _fetch(url, path, checksum)
            return
        except InputError as error:
            stderr.print(f"{error}; trying the next address")
    _fetch(last, path, checksum)


def _fetch(url: str, path: Path, checksum: str | None) -> None:
    """An archive that appears whole, and as it was if it was here before, or not at all."""
    stderr.print(f"Fetching {url}")
    pooch.get_logger().setLevel("WARNING")
    try:
        # without a checksum nothing could tell that a part belongs to another file
        part = path.with_name(f"{path.name}.part") if checksum else None
        download = partial(_download, path=path, part=part)
        pooch.retrieve(url, checksum, path.name, path.parent, downloader=download)
    except OSError as error:  # every failure of the network is one
        raise InputError(f"{url} cannot be fetched ({_reason(error, url)}); try again, or {_by_hand(path)}") from None
    except ValueError as error:
        raise InputError(f"{url} gave another file, now deleted: {one_line(error)}; {_remedy(path)}") from None


def _reason(error: OSError, url: str) -> str:
    import requests

    if isinstance(error, requests.Timeout):
        return f"no answer from {urlsplit(url).netloc}"
    if isinstance(error, requests.ConnectionError):
        return f"no connection to {urlsplit(url).netloc}"
    return one_line(error)


def _download(url: str, output: str, _: object, path: Path, part: Path | None) -> None:
    """What pooch calls: ``part`` goes on where it ends, or starts over if the server must, and becomes ``output``."""
    import requests  # as late as pooch does: it is slow to import

    part = part or Path(output)
    with part.open("ab") as file:
        headers = {"Range": f"bytes={file.tell()}-", "Accept-Encoding": "identity"}
        with requests.get(url, headers=headers, stream=True, timeout=30) as response:
            if response.status_code != _NOTHING_LEFT:  # then the checksum says whether the part is all of it
                response.raise_for_status()
                if response.status_code != _REST:
                    file.truncate(0)
                size = int(response.headers.get("Content-Length", 0))
                for chunk in progress(response.iter_content(2**20), path.name, size, len):
                    file.write(chunk)
    part.replace(output)
    if not opens(Path(output), path.name):
        raise ValueError(f"no {kind(path.name)} archive but some page")


def _remedy(path: Path) -> str:
    """What to do where the expected file may be the wrong one."""
    remedy = _by_hand(path)
    return f"delete {record(path)} if the file of before was wrong, or {remedy}" if record(path).exists() else remedy


def _by_hand(path: Path) -> str:
    return f"fetch it by hand into {path.parent}"


def unpacked(path: Path, member: str) -> bytes:
    """The one file of the archive that is wanted, in whatever folder it lies."""
    with zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if Path(info.filename).name == member]
        if not found:
            raise InputError(f"{path} holds no {member}; delete it to fetch it again")
        if (size := found[0].file_size) > LIMIT:
            raise InputError(f"{path}: {member} claims {size >> 30:,} GiB, more than {LIMIT >> 30}; refused")
        return archive.read(found[0])
