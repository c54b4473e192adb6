"""Graph files as DGL 2.1 writes them, byte for byte, and as DGL 0.6 does."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from attractor.data.graphs import dgl_file as layout

CODES = {"coo": 1, "csr": 2, "csc": 4}
NUMBERS = {"coo": 1, "csr": 2, "csc": 3}  # of DGL 0.6


def number(value: int, size: int = 8) -> bytes:
    return value.to_bytes(size, "little")


def text(words: str) -> bytes:
    return number(len(words)) + words.encode()


def array(a: np.ndarray) -> bytes:
    kind = struct.pack("<BBH", {"i": 0, "u": 1, "f": 2}[a.dtype.kind], a.dtype.itemsize * 8, 1)
    head = number(layout.ARRAY) + number(0) + struct.pack("<iii", 1, 0, a.ndim) + kind
    return head + struct.pack(f"<{a.ndim}q", *a.shape) + number(a.nbytes) + a.tobytes()


def rows(nodes: int, row: np.ndarray, column: np.ndarray, dtype: str = "<i8") -> bytes:
    order = np.argsort(row, kind="stable")
    indptr = np.concatenate([[0], np.bincount(row, minlength=nodes).cumsum()])
    arrays = indptr, column[order], order
    return number(layout.CSR) + number(nodes) * 2 + b"".join(array(a.astype(dtype)) for a in arrays) + b"\0"


def meta() -> bytes:
    """The graph of kinds: one kind of node, joined to itself."""
    return number(layout.META) + rows(1, np.array([0]), np.array([0]))


def relation(nodes: int, edges: np.ndarray, form: str = "coo", dtype: str = "<i8", old: bool = False) -> bytes:
    stored = NUMBERS[form] if old else 1 << 32 | CODES[form]
    head = number(layout.RELATION) + number(stored) + number(1 << 32 | sum(CODES.values()))
    source, target = edges
    if form == "coo":
        numbers = array(source.astype(dtype)) + array(target.astype(dtype)) + array(np.array([], np.int64))
        return head + meta() + number(layout.COO) + number(nodes) * 2 + numbers + b"\0\0"
    return head + meta() + rows(nodes, *((source, target) if form == "csr" else (target, source)), dtype)


def graph(
    nodes: int, relations: dict[str, bytes], data: dict[str, np.ndarray], kinds: tuple[str, ...] = ("_N",)
) -> bytes:
    parts = [number(layout.GRAPH), meta(), number(len(relations)), *relations.values(), number(1), number(nodes)]
    parts += [number(1), number(len(data)), *(text(name) + array(a) for name, a in data.items())]
    parts += [number(len(relations)), number(0) * len(relations)]
    for names in (kinds, relations):
        parts += [number(len(names)), *map(text, names)]
    return b"".join(parts)


def file(body: bytes, version: int = 2) -> bytes:
    head = number(layout.FILE) + number(version) + number(2) + number(1)
    start = number(layout.HEAD + 16) + number(0)
    return (
        head.ljust(layout.HEAD, b"\0") + start + body + number(16) + number(1) + number(layout.HEAD + 16) + number(16)
    )


def write(path: Path, nodes: int, edges: np.ndarray, data: dict[str, np.ndarray], **how: object) -> Path:
    """One relation, as a graph that DGL calls homogeneous has it."""
    path.write_bytes(file(graph(nodes, {"_E": relation(nodes, edges, **how)}, data)))
    return path
