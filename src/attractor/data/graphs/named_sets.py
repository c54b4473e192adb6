"""The published sets of graphs, by name."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from attractor.data.downloads import fetched
from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.joining import join
from attractor.data.graphs.set_reading import as_graph_set
from attractor.data.graphs.superpixels import SUPERPIXELS, superpixel_sets
from attractor.data.graphs.tu import read_tu
from attractor.errors import InputError

BASE = "https://www.chrsmrrs.com/graphkerneldatasets/"
TU = ("MUTAG", "PROTEINS", "NCI1", "NCI109", "ENZYMES", "DD", "Mutagenicity", "FRANKENSTEIN")
_NAMES = {name.lower(): name for name in (*TU, *SUPERPIXELS)}


def graph_set(name: str | PathLike[str], folder: str | PathLike[str]) -> GraphSet:
    """A published set, its name in any case, fetched into ``folder`` once.

    The TU sets MUTAG, PROTEINS, NCI1, NCI109, ENZYMES, DD, Mutagenicity and FRANKENSTEIN, and the superpixels MNIST and
    CIFAR10, whose official parts :func:`superpixel_sets` keeps apart. Another name is a path as :func:`as_graph_set`
    reads it. Raises :class:`InputError`.
    """
    known = _NAMES.get(str(name).lower(), "")
    if known in SUPERPIXELS:
        return join(list(superpixel_sets(known, folder).values()), known)
    if known in TU:
        return read_tu(fetched(Path(folder).expanduser() / f"{known}.zip", BASE))
    if not Path(name).expanduser().exists():
        raise InputError(f"{name} is no set ({', '.join(_NAMES.values())}) and no file; check the name")
    return as_graph_set(name)
