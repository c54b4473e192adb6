"""Single files of a tar archive, read straight from it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePosixPath

import numpy as np

from attractor.data.downloads import LIMIT
from attractor.data.tars import open_tar
from attractor.errors import InputError, one_line


def members(path: Path, names: Collection[str]) -> dict[str, bytes]:
    """The files of these names, in whatever folder of the archive; raises :class:`InputError` unless all are whole."""
    found: dict[str, bytes] = {}
    try:
        with open_tar(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if name in names and member.isfile() and (file := archive.extractfile(member)):
                    _check_size(path, name, member.size)
                    found[name] = file.read()
                if len(found) == len(names):
                    break
    except InputError:
        raise
    except Exception as error:  # damaged archives raise as many kinds as damaged images
        raise InputError(f"{path} is damaged ({one_line(error)}); delete it to fetch it again") from error
    if missing := sorted(set(names) - set(found)):
        raise InputError(f"{path} holds no {missing[0]}; delete it to fetch it again")
    return found


def rows(path: Path, name: str, content: bytes, width: int) -> np.ndarray:
    """The bytes of a member as uint8 ``(N, width)``; raises :class:`InputError` where they are not whole rows."""
    if not content or len(content) % width:
        raise InputError(f"{path}: {name} has {len(content):,} bytes, not a multiple of {width:,}; fetch it again")
    return np.frombuffer(content, np.uint8).reshape(-1, width)


def codes(path: Path, name: str, labels: np.ndarray, classes: list[str], first: int = 0) -> np.ndarray:
    """Labels that count from ``first`` as numbers from 0, int64 ``(N,)``; raises :class:`InputError` on any other."""
    found = labels.astype(np.int64) - first
    if (wrong := (found < 0) | (found >= len(classes))).any():
        label, number = found[wrong][0] + first, len(classes)
        raise InputError(f"{path}: {name} has the label {label}, but there are {number} classes; fetch it again")
    return found


def _check_size(path: Path, name: str, size: int) -> None:
    if size > LIMIT:
        raise InputError(f"{path}: {name} claims {size >> 30:,} GiB, more than {LIMIT >> 30}; refused")
