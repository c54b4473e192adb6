"""Binary graph files of DGL (T-Finance, T-Social), read without DGL and without a copy of the file in memory.

The layout is that of DGL 0.5 to 2.x, ``src/graph/serialize/heterograph_serialize.cc`` there: little-endian numbers
without padding, lists headed by their length, arrays by magic, kind, shape and size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from attractor.data.graphs.raw import RawGraph
from attractor.errors import InputError

FILE = 0xDD2E4FF046B4A13F
GRAPH = 0xDD589FBE35224ABF
META = 0xDD3C5FFE20046ABF
RELATION = 0xDD2E60F0F6B4A127
COO = 0xDD61FFD305DFF127
CSR = 0xDD6CD31205DFF127
ARRAY = 0xDD5E40F096B4A13F
VERSION = 2  # version 1 is DGL before 0.5
HEAD = 4096  # bytes before the first number that is not about the file itself
ONLY = "_E"  # what DGL calls the relation of a graph that has one
_COO, _CSR, _CSC = 1, 2, 4
_NUMBERED = {1: _COO, 2: _CSR, 3: _CSC}  # before DGL 1.0, which can store several of them
_KINDS = {0: "i", 1: "u", 2: "f"}

T = TypeVar("T")


def read_dgl(path: Path) -> RawGraph:
    """The first graph of the file: node data ``feature``, and ``label`` where known; one kind of node, any of edges.

    Raises :class:`InputError` on a file of another kind or an older DGL, one that is damaged, and on another graph.
    """
    file = _Reader(path)
    if file.size < HEAD or file.number() != FILE:
        raise InputError(f"{path} is no graph; give an .npz, a .mat, a DGL file or a folder of nodes.csv and edges.csv")
    if (version := file.number()) != VERSION:
        raise InputError(f"{path} is a DGL file of version {version}; load and save it with DGL 0.5 or later")
    file.at = HEAD
    file.at = file.number()  # past the labels of whole graphs
    relations = _read_relations(file)
    file.take(8 * file.number())  # nodes of each kind
    node_data = file.many(lambda: file.table(file.array))
    file.many(lambda: file.table(file.array))  # edge data
    kinds, names = file.many(file.text), file.many(file.text)
    if len(kinds) != 1 or len(node_data) != 1 or len(names) != len(relations):
        raise InputError(f"{path} has {len(kinds)} kinds of nodes ({', '.join(kinds)}); give a graph of one kind")
    if "feature" not in node_data[0]:
        raise InputError(f"{path} has no node data 'feature', only {', '.join(node_data[0])}; name it so in DGL")
    edges = {"edges" if name == ONLY else name: index for name, index in zip(names, relations, strict=True)}
    return RawGraph(node_data[0]["feature"], edges, node_data[0].get("label"))


def _read_relations(file: _Reader) -> list[np.ndarray]:
    file.expect(GRAPH)
    _skip_meta(file)
    return file.many(lambda: _read_relation(file))


def _read_relation(file: _Reader) -> np.ndarray:
    """``edge_index`` of one relation, from the first of the formats that it is stored in."""
    file.expect(RELATION)
    stored = file.number()
    formats = stored & 0xFFFFFFFF if stored >> 32 else _NUMBERED.get(stored, 0)
    file.number()  # the formats it may take
    found = [(code, _read_matrix(file, code)) for code in (_COO, _CSR, _CSC) if formats & code]
    if not found:
        raise InputError(f"{file.path} stores edges in no format that DGL knows; fetch it again")
    code, (first, indices) = found[0]
    if code == _COO:
        return np.stack((first, indices))
    rows = _expand(file.path, first, indices)
    return np.stack((rows, indices) if code == _CSR else (indices, rows))


def _read_matrix(file: _Reader, code: int) -> tuple[np.ndarray, np.ndarray]:
    _skip_meta(file)
    return _read_arrays(file, COO, 2) if code == _COO else _read_arrays(file, CSR, 1)


def _skip_meta(file: _Reader) -> None:
    """The graph of kinds: which kind of node each relation joins."""
    file.expect(META)
    _read_arrays(file, CSR, 1)


def _read_arrays(file: _Reader, magic: int, flags: int) -> tuple[np.ndarray, np.ndarray]:
    """Source and target of every edge; or where the neighbours of every node begin, and the neighbours."""
    file.expect(magic)
    file.take(16)  # how many columns and rows
    first, second, _ = file.array(), file.array(), file.array()  # the last one numbers the edges
    file.take(flags)  # what is sorted
    return first, second


def _expand(path: Path, indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The row of every one of ``indices``."""
    falls = indptr[1:] < indptr[:-1]  # not by their differences, which may wrap around
    if not len(indptr) or indptr[0] != 0 or indptr[-1] != len(indices) or falls.any():
        raise InputError(f"{path} has compressed rows that do not fit its edges; fetch it again")
    return np.repeat(np.arange(len(falls), dtype=indices.dtype), np.diff(indptr))


class _Reader:
    """A mapped file and a place in it; nothing is read, and nothing set aside, that is not in the file."""

    def __init__(self, path: Path):
        self.path = path
        self.size = path.stat().st_size
        self.bytes = np.memmap(path, np.uint8, "r") if self.size else np.empty(0, np.uint8)
        self.at = 0

    def take(self, size: int) -> np.ndarray:
        """The next ``size`` bytes."""
        if not 0 <= size <= self.size - self.at:
            raise InputError(f"{self.path} ends early, or is damaged at byte {self.at:,}; fetch it again")
        self.at += size
        return self.bytes[self.at - size : self.at]

    def number(self, size: int = 8) -> int:
        return int.from_bytes(self.take(size).tobytes(), "little")

    def expect(self, magic: int) -> None:
        if self.number() != magic:
            raise InputError(f"{self.path} is damaged at byte {self.at - 8:,}, or of an unknown DGL; fetch it again")

    def text(self) -> str:
        return self.take(self.number()).tobytes().decode()

    def many(self, read: Callable[[], T]) -> list[T]:
        """As many of a thing as the number before them says; each takes bytes, so that a wrong one ends at the end."""
        return [read() for _ in range(self.number())]

    def table(self, read: Callable[[], T]) -> dict[str, T]:
        return dict(self.many(lambda: (self.text(), read())))

    def array(self) -> np.ndarray:
        """A view of an array; of a type that NumPy lacks, its bytes."""
        self.expect(ARRAY)
        self.take(16)  # reserved, device
        dimensions = self.number(4)
        kind, bits, lanes = self.number(1), self.number(1), self.number(2)
        shape = np.frombuffer(self.take(8 * dimensions), "<i8").tolist()
        data = self.take(self.number())
        width = bits * lanes // 8
        if min(shape, default=0) < 0 or math.prod(shape) * width != len(data):
            raise InputError(f"{self.path} has an array of {shape} that fills {len(data)} bytes; fetch it again")
        return data.view(f"<{_KINDS[kind]}{width}" if kind in _KINDS and lanes == 1 else f"V{width}").reshape(shape)
