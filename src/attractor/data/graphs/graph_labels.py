"""What people call a label (a number, text, an array of one number) as categories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from attractor.data.graphs.graph_set import Categories, Value
from attractor.errors import InputError


def categories(column: Tensor) -> Categories:
    """Whole numbers ``(n,)`` as the label of n things, their values in ascending order."""
    values, codes = column.unique(return_inverse=True)
    return Categories(codes, tuple(values.tolist()))


def classes(y: Iterable[Any], name: str) -> Categories | None:
    """One class a graph: whole numbers, text, arrays of one of them, or None where not known; None if none is known.

    Raises :class:`InputError` on anything else; it calls the graphs ``name``.
    """
    if not hasattr(y, "__iter__"):
        raise InputError(f"{name}: classes cannot be a {type(y).__name__}; give a list of them")
    labels = [_value(label, f"{name}: the class of graph {i}") for i, label in enumerate(y)]
    return None if all(label is None for label in labels) else Categories.of(labels)


def _value(label: Any, name: str) -> Value | None:
    while hasattr(label, "tolist") or (isinstance(label, (list, tuple)) and len(label) == 1):
        label = label.tolist() if hasattr(label, "tolist") else label[0]
    if label is None or isinstance(label, str):
        return label
    if not isinstance(label, (int, float)) or label % 1 != 0:
        raise InputError(f"{name} is {str(label)[:40]}, no class; give one whole number or text a graph")
    return int(label)
