"""Loops in machine code, which is kept for the next process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import FunctionCache

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

# Sums may be regrouped, but NaN and infinity stay what they are.
OPTIONS: Any = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}}


def compiled(function: Kernel) -> Kernel:
    """The function in machine code, which is kept for the next process where there is a folder to keep it in."""
    made = njit(**OPTIONS)(function)
    with suppress(RuntimeError):  # no such folder
        made._cache = _Cache(function)
    return made


class _Cache(FunctionCache):
    """The machine code of one function, void when any file beside its own changes: numba looks at its own alone.

    A file that cannot be read is none, and what cannot be written is compiled again by the next process.
    """

    def __init__(self, function: Kernel) -> None:
        super().__init__(function)
        own, beside = self._cache_file._source_stamp, _digest(Path(function.__code__.co_filename).parent)
        self._cache_file._source_stamp = own, beside

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was kept for these types, None where there is nothing; what is damaged is thrown away."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # of any kind: there is no telling what a damaged pickle asks for
            with suppress(OSError):
                self.flush()  # else no index would be written over a damaged one
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep it, where the disk has room and what lies there can be read."""
        with suppress(OSError, EOFError, UnpicklingError):
            super().save_overload(sig, data)


@cache
def _digest(folder: Path) -> str:
    """Of all Python files there."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))).hexdigest()
