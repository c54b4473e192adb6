"""Graphs as NumPy archives, with nothing in them trusted: sizes first, numbers then, code never."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from attractor.data.arrays import npy_header
from attractor.data.graphs.raw import RawGraph
from attractor.errors import InputError

LIMIT = 2**34  # bytes unpacked: ten times T-Social
_INDEX = "edge_index"
_SPELLINGS = {"x": "x", "y": "y", "labelled": "labelled", "node_features": "x", "node_labels": "y"}


def read_npz(path: Path) -> RawGraph:
    """The arrays named as :func:`from_names` wants them; others stay packed."""
    with zipfile.ZipFile(path) as archive:
        members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
        members = {name: m for name, m in members.items() if name in _SPELLINGS or _is_edges(name)}
        if (total := sum(m.file_size for m in members.values())) > LIMIT:
            raise InputError(f"{path} claims {total >> 30:,} GiB of arrays, more than {LIMIT >> 30}; refused")
        return from_names({name: _read(path, archive, m) for name, m in members.items()}, str(path))


def from_names(arrays: Mapping[str, Any], name: str) -> RawGraph:
    """A graph of the arrays ``x``, ``edge_index`` or one ``edge_index_NAME`` a relation, ``y`` and ``labelled``.

    Or, as the heterophilous sets of Platonov et al. (2023) spell them, ``node_features``, ``edges (E, 2)`` and
    ``node_labels``. Raises :class:`InputError` where features or edges are missing.
    """
    found = {_SPELLINGS[key]: value for key, value in arrays.items() if key in _SPELLINGS}
    relations = {_relation(key): value for key, value in arrays.items() if _is_edges(key)}
    if "edges" in arrays:
        relations["edges"] = np.asarray(arrays["edges"]).T  # one edge a row
    if "x" not in found or not relations:
        missing = "x (features)" if "x" not in found else "edge_index"
        raise InputError(f"{name} has no {missing}; it must hold x, edge_index and, where known, y")
    return RawGraph(relations=relations, **found)


def _is_edges(name: str) -> bool:
    return name == "edges" or name == _INDEX or name.startswith(f"{_INDEX}_")


def _relation(name: str) -> str:
    return name.removeprefix(_INDEX).removeprefix("_") or "edges"


def _read(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """An array of numbers whose header agrees with the archive on its size."""
    _, dtype = npy_header(path, archive, member)
    if dtype.hasobject:
        raise InputError(f"{path}: {member.filename} holds Python objects, refused; save it as an array of numbers")
    with archive.open(member) as file:
        return npy.read_array(file, allow_pickle=False)
