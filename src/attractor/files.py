"""Files that appear whole or not at all, and the text, CSV and JSON in them."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from attractor.errors import InputError

UNFINISHED = ".unfinished-"
NO_ROOM = 2**16  # bytes free on a disk, below which it is full


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``: synced and renamed to ``path`` on success, removed on failure.

    A folder that cannot be made or written to, and a full disk, raise :class:`InputError`.
    """
    with replacing_together([path]) as (temporary,):
        yield temporary


@contextmanager
def replacing_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """The same for files that belong together: none takes its name before all of them are written."""
    temporaries: list[Path] = []
    try:
        for path in paths:
            temporaries.append(_temporary(path))
        with _naming_a_full_disk(paths[0]):
            yield temporaries
            for temporary in temporaries:
                _sync(temporary)
        for temporary, path in zip(temporaries, paths, strict=True):
            try:
                temporary.replace(path)
            except OSError as error:
                raise InputError(f"{path} cannot be written ({error.strerror}); choose another name") from None
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{UNFINISHED}{os.getpid()}-", suffix=path.suffix)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written ({_reason(error)}); choose another folder") from None
    os.close(handle)
    return Path(name)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.chmod(0o666 & ~_umask())


@contextmanager
def _naming_a_full_disk(path: Path) -> Iterator[None]:
    """Whatever a library makes of a disk without room becomes an :class:`InputError` that says so."""
    try:
        yield
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        told = os.strerror(errno.ENOSPC) in str(error)  # by a library that has made room again
        if full or told or shutil.disk_usage(path.parent).free < NO_ROOM:
            raise InputError(f"{path} cannot be written: the disk is full; free some space there") from error
        raise


def require_writable(folder: Path) -> None:
    """See that files can be written into ``folder``, before the work that is to end there; nothing is left of it."""
    try:
        missing = [part for part in (folder, *folder.parents) if not part.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            tempfile.NamedTemporaryFile(dir=folder, prefix=UNFINISHED).close()  # of a name that no file there has
        finally:
            with suppress(OSError):  # another process may have put something there
                for part in missing:
                    part.rmdir()
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} cannot be written to ({_reason(error)}); choose another folder") from None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def discard_unfinished(folder: Path) -> None:
    """Remove the temporary files below ``folder`` that a killed writer could not."""
    for left in folder.rglob(f"{UNFINISHED}*"):
        owner = left.name.removeprefix(UNFINISHED).split("-")[0]
        if not (owner.isdigit() and _runs(int(owner))):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return process != os.getpid()  # what this one left, it left in another life


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 atomically; the bytes of a file name that is not UTF-8 itself come out as backslash escapes."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
    return path


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Comma-separated rows under a header line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def json_text(value: Any) -> str:
    """Indented standard JSON, in which a number that is not finite becomes ``null``."""
    return json.dumps(_plain(value), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def write_json(path: Path, value: Any) -> Path:
    """Write :func:`json_text` atomically."""
    return write_text(path, json_text(value))


def read_json(path: Path) -> Any:
    """Read JSON; a missing or broken file raises :class:`InputError` naming it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise InputError(f"{path.parent}: no such folder; check the path") from None
        raise InputError(f"{path} is missing; is {path.parent} a folder that attractor wrote?") from None
    except (OSError, ValueError, RecursionError) as error:  # the last where it nests without end
        raise InputError(f"{path} cannot be read as JSON ({error}); write it again") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of a key that is there twice the last value would win without a word."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is given twice")
    return values
