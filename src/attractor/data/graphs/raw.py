"""What a file or a caller gives for a graph, and the one way from there to tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from attractor.data.graphs.node_graph import NodeGraph
from attractor.errors import InputError, one_line

DENSE = 2**34  # bytes that sparse features may fill


class RawGraph(NamedTuple):
    """``x (N, F)``; by name ``edge_index (2, E)`` or a sparse adjacency ``(N, N)``; ``y (N,)``; who is ``labelled``.

    Arrays, tensors or lists. ``y`` may be one-hot, ``(N, 2)``; where ``labelled (N,)`` is False it does not count.
    ``ids``, ``columns``: what the nodes and the features are called, if not by their numbers.
    """

    x: Any
    relations: Mapping[str, Any]
    y: Any = None
    labelled: Any = None
    ids: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


def to_graph(raw: RawGraph, *, directed: bool = False, name: str = "graph") -> NodeGraph:
    """Features in float32, whole indices and labels 1, 0 or -1; :class:`InputError` on what cannot be made so."""
    x = _features(name, raw.x)
    relations = {str(key): _edge_index(f"{name}, {key}", value, len(x)) for key, value in raw.relations.items()}
    if len(relations) < len(raw.relations):
        raise InputError(f"{name}: two of the relations {', '.join(relations)} have one name; rename one of them")
    y = None if raw.y is None else _labels(f"{name}: y", raw.y, raw.labelled, len(x))
    return NodeGraph(x, relations, y, directed, name, raw.ids, raw.columns)


@contextmanager
def refusing(path: object) -> Iterator[None]:
    """Turn whatever a parser makes of a damaged file into an :class:`InputError` that names it."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be read as a graph ({one_line(error)}); fetch or write it again") from None


def _features(name: str, x: Any) -> Tensor:
    if x is None:
        raise InputError(f"{name} has no x; give the nodes' features, (nodes, features)")
    if _is_sparse(x):
        if x.shape[0] * x.shape[1] * 4 > DENSE:
            raise InputError(f"{name}: x of shape {x.shape} fills more than {DENSE >> 30} GiB; keep fewer columns")
        x = x.toarray()
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which NodeGraph refuses
        return torch.from_numpy(np.require(_numbers(f"{name}: x", x), np.float32, ["C", "A", "W"]))


def _edge_index(name: str, value: Any, nodes: int) -> Tensor:
    if _is_sparse(value):
        if value.shape != (nodes, nodes):
            raise InputError(f"{name}: an adjacency of shape {value.shape} does not fit {nodes} nodes")
        value = np.stack(value.nonzero())
    index = _numbers(name, value)
    if index.ndim != 2 or len(index) != 2 or (index.dtype.kind not in "iu" and index.size):
        raise InputError(f"{name}: edges must be whole numbers (2, edges), not {index.dtype} of shape {index.shape}")
    index = np.require(index, np.int32 if index.dtype == np.int32 else np.int64, ["C", "A", "W"])
    if index.size and (index.min() < 0 or index.max() >= nodes):
        wrong = index[(index < 0) | (index >= nodes)][0]
        raise InputError(f"{name}: an edge names node {wrong}, but nodes are numbered 0 to {nodes - 1}")
    return torch.from_numpy(index)


def _labels(name: str, y: Any, labelled: Any, nodes: int) -> Tensor:
    values = _numbers(name, y)
    if values.shape == (nodes, 2):
        values = _hot(name, values)
    values = values.reshape(-1) if values.size == nodes else values
    known = np.ones(values.shape, bool) if labelled is None else _numbers(f"{name}, labelled", labelled).astype(bool)
    if known.shape != values.shape:
        raise InputError(f"{name} and labelled must be of one shape, not {values.shape} and {known.shape}")
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    if (broken := known & (whole != values)).any():
        raise InputError(f"{name} must be 1 (anomalous), 0 (normal) or -1 (not known), not {values[broken][0]}")
    return torch.from_numpy(np.where(known, whole, -1))


def _hot(name: str, values: np.ndarray) -> np.ndarray:
    """The class of every one-hot row."""
    if not ((values == 0) | (values == 1)).all() or not (values.sum(axis=1) == 1).all():
        raise InputError(f"{name} has two columns that are no one-hot labels; give one column of 0 and 1")
    return values[:, 1]


def _numbers(name: str, value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(f"{name} has rows of different lengths; give an array") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {array.dtype}, not numbers; give an array of numbers")
    return array


def _is_sparse(value: Any) -> bool:
    """A SciPy matrix or array, its indices checked: out of range they would be written out of bounds."""
    if not hasattr(value, "tocoo"):
        return False
    if hasattr(value, "check_format"):
        value.check_format(full_check=True)
    return True
