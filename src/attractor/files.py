"""Files that appear whole or not at all, and the text, CSV and JSON in them."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from attractor.errors import InputError

UNFINISHED = ".unfinished-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``: synced and renamed to ``path`` on success, removed on failure.

    A folder that cannot be made or written to raises :class:`InputError`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED, suffix=path.suffix)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another folder") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        try:
            temporary.replace(path)
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}); choose another name") from None
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Make ``folder`` and see that a file can be written into it, before the work that is to end there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.NamedTemporaryFile(dir=folder, prefix=UNFINISHED).close()  # of a name that no file there has
    except OSError as error:
        raise InputError(f"{folder} cannot be written to ({error.strerror}); choose another folder") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def discard_unfinished(folder: Path) -> None:
    """Remove the temporary files below ``folder`` that a killed writer could not."""
    for left in folder.rglob(f"{UNFINISHED}*"):
        left.unlink(missing_ok=True)


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
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; is {path.parent} a folder that attractor wrote?") from None
    except (OSError, ValueError, RecursionError) as error:  # the last where it nests without end
        raise InputError(f"{path} cannot be read as JSON ({error}); write it again") from None
