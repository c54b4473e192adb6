"""Text files of numbers that belong together, in a folder or a zip archive, every fault named by its row."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import Path as ZipPath

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from attractor.errors import InputError


@dataclass(frozen=True)
class NumberFiles:
    """Files by name, and where they lie; the numbers of a row stand between commas or blanks."""

    files: Mapping[str, Path | ZipPath]
    place: Path

    def __contains__(self, file: str) -> bool:
        return file in self.files

    def floats(self, file: str) -> Tensor:
        """The rows of a file, float32 ``(rows, columns)``; :class:`InputError` where they are not all numbers."""
        return self._parse(file, np.float32)

    def whole(self, file: str) -> Tensor:
        """The rows of a file of whole numbers, int64 ``(rows, columns)``."""
        found = self._parse(file, np.float64)  # some files write 1.0
        numbers = found.long()
        if (broken := numbers != found).any():
            raise InputError(f"{self.row(file, broken)} holds {found[broken][0].item()}, no whole number; correct it")
        return numbers

    def counted(self, file: str, columns: int, last: int | None = None) -> Tensor:
        """What a file numbers from 1 to ``last`` (None: its rows), from 0 on; int64 ``(rows, columns)``."""
        numbers = self.whole(file)
        if numbers.numel() and numbers.shape[1] != columns:
            raise InputError(f"{self.place}, {file} has {numbers.shape[1]} numbers a row; there must be {columns}")
        last = len(numbers) if last is None else last
        if (wrong := (numbers < 1) | (numbers > last)).any():
            value = int(numbers[wrong][0])
            raise InputError(f"{self.row(file, wrong)} names number {value}, not one from 1 to {last}; correct it")
        return numbers.reshape(-1, columns) - 1

    def row(self, file: str, where: Tensor) -> str:
        """How a message calls the first row that is True anywhere in ``where (rows, columns)``."""
        return f"{self.place}, {file}, row {int(where.any(dim=1).nonzero()[0]) + 1}"

    def _parse(self, file: str, dtype: DTypeLike) -> Tensor:
        if file not in self.files:
            raise InputError(f"{self.place} has no {file}; add it")
        with self.files[file].open(encoding="utf-8-sig", errors="replace") as text:
            lines = _Lines(text)
            try:
                return torch.from_numpy(_rows(lines, dtype))
            except ValueError:
                fault = "holds something else than numbers, or not as many as the lines above it"
                raise InputError(f"{self.place}, {file}, line {lines.at} {fault}; correct it") from None


class _Lines:
    """The lines of a file with blanks between their numbers; ``at`` is the one that was read last."""

    def __init__(self, text: IO[str]) -> None:
        self.text, self.at = text, 0

    def __iter__(self) -> Iterator[str]:
        for line in self.text:
            self.at += 1
            yield line.replace(",", " ")


def _rows(lines: _Lines, dtype: DTypeLike) -> NDArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a file without lines, as a set without edges has one
        return np.loadtxt(lines, dtype, comments=None, ndmin=2)
