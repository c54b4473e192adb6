"""A folder of nodes.csv and edges.csv, read row by row, every fault named by its line."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from attractor.data.graphs.raw import RawGraph
from attractor.errors import InputError

NODES = "nodes.csv"
EDGES = "edges.csv"
_NAMES = ("id", "label", "source", "target", "relation")  # in any case: a Label must not become a feature
_LABELS = {"": -1, "-1": -1, "0": 0, "1": 1, "-1.0": -1, "0.0": 0, "1.0": 1}  # a column with gaps comes as floats

Rows = Iterator[tuple[int, list[str]]]  # the line and the cells


def read_csv_folder(folder: Path) -> RawGraph:
    """``nodes.csv`` (``id`` and ``label`` where there are any, all else features), ``edges.csv`` (``source,target``).

    Edges name nodes by ``id``, or by row from 0 where there is none; a ``relation`` column tells their kinds apart. A
    label is 1, 0, or empty where it is not known. Raises :class:`InputError` naming file, line and column.
    """
    x, y, numbers, named, columns = _read_nodes(folder / NODES)
    ids = tuple(numbers) if named else None
    return RawGraph(x, _read_edges(folder / EDGES, numbers), y, ids=ids, columns=columns)


def _read_nodes(path: Path) -> tuple[np.ndarray, np.ndarray | None, dict[str, int], bool, tuple[str, ...]]:
    """Features, labels, the row of every id, whether the file has ids, and the names of the features."""
    header, rows = _table(path)
    features = [i for i, column in enumerate(header) if column not in ("id", "label")]
    if not features:
        raise InputError(f"{path} has no columns of features beside id and label; add some")
    ids, labels = _place(header, "id"), _place(header, "label")
    x, y, numbers = array("f"), array("b"), dict[str, int]()
    for line, cells in rows:
        try:
            x.extend([float(cells[i]) for i in features])
            y.append(0 if labels is None else _LABELS[cells[labels].strip()])
        except (ValueError, KeyError):
            raise InputError(f"{path}, line {line}, {_fault(header, cells)}") from None
        name = str(len(numbers)) if ids is None else cells[ids]
        if numbers.setdefault(name, len(y) - 1) != len(y) - 1:
            raise InputError(f"{path}, line {line}: a second node with the id {name!r}; ids must be unique")
    if not y:
        raise InputError(f"{path} has no rows below its first line; write one a node")
    columns = tuple(header[i] for i in features)
    known = None if labels is None else np.asarray(y)
    return np.asarray(x).reshape(len(y), -1), known, numbers, ids is not None, columns


def _read_edges(path: Path, numbers: dict[str, int]) -> dict[str, np.ndarray]:
    """``edge_index`` of every relation; of all edges where no column tells them apart."""
    header, rows = _table(path)
    if missing := [column for column in ("source", "target") if column not in header]:
        raise InputError(f"{path} has no column {missing[0]!r}; its first line must name source and target")
    source, target, relation = header.index("source"), header.index("target"), _place(header, "relation")
    ends: dict[str, array[int]] = {} if relation is not None else {"edges": array("q")}
    for line, cells in rows:
        try:
            pair = numbers[cells[source]], numbers[cells[target]]
        except KeyError as error:
            raise InputError(f"{path}, line {line}: no node {error} in {NODES}; correct the id or add it") from None
        kind = "edges" if relation is None else cells[relation]
        if not kind:
            raise InputError(f"{path}, line {line}: the relation is empty; name it, or leave the column out")
        ends.setdefault(kind, array("q")).extend(pair)
    return {kind: np.asarray(pairs).reshape(-1, 2).T for kind, pairs in ends.items()}


def _table(path: Path) -> tuple[list[str], Rows]:
    """The names of the columns, and the rows below them."""
    if not path.is_file():
        raise InputError(f"{path} is missing; a folder of a graph holds {NODES} and {EDGES}")
    rows = _rows(path)
    _, cells = next(rows, (0, []))
    if not cells:
        raise InputError(f"{path} is empty; its first line must name the columns")
    header = [name.lower() if (name := column.strip()).lower() in _NAMES else name for column in cells]
    if len(set(header)) < len(header):
        raise InputError(f"{path} names a column twice in its first line; rename one")
    return header, rows


def _rows(path: Path) -> Rows:
    """Every row that is not empty, as wide as the first."""
    width = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                if cells:
                    width = width or len(cells)
                    if len(cells) != width:
                        words = f"{len(cells)} cells under {width} columns"
                        raise InputError(f"{path}, line {reader.line_num}: {words}; write one cell a column")
                    yield reader.line_num, cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}, near line {reader.line_num + 1}: {error}; save it as CSV in UTF-8") from None


def _fault(header: list[str], cells: list[str]) -> str:
    """The first cell that is no number, or no label."""
    cell_of = dict(zip(header, cells, strict=True))
    if (label := cell_of.get("label", "").strip()) not in _LABELS:
        return f"column 'label': {label!r} is no label; write 1, 0, or nothing where it is not known"
    column = next(name for name, cell in cell_of.items() if name not in ("id", "label") and not _is_number(cell))
    return f"column {column!r}: {cell_of[column]!r} is no number; fill it in, or drop the node"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _place(header: list[str], column: str) -> int | None:
    return header.index(column) if column in header else None
