"""The named fraud sets: fetched where they can be, read from a folder where they cannot."""

from __future__ import annotations

import io
from dataclasses import replace
from os import PathLike
from pathlib import Path

from attractor.data.downloads import fetched, unpacked
from attractor.data.graphs.mat_file import parse_mat
from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.node_reading import as_node_graph
from attractor.data.graphs.raw import refusing, to_graph
from attractor.errors import InputError

BASE = "https://data.dgl.ai/dataset/"
ARCHIVES = {"yelp": ("FraudYelp.zip", "YelpChi.mat"), "amazon": ("FraudAmazon.zip", "Amazon.mat")}
BY_HAND = ("tfinance", "tsocial")
PAGE = "https://github.com/squareRoot3/Rethinking-Anomaly-Detection"


def fraud_graph(name: str, folder: str | PathLike[str]) -> NodeGraph:
    """``yelp`` and ``amazon`` (Dou et al. 2020), fetched into ``folder`` once; ``tfinance`` and ``tsocial``, put there.

    Another name is the path of a graph as :func:`as_node_graph` reads it. The SHA-256 of an archive is printed and
    kept in a ``.sha256`` beside it when it first comes; later it must be the same. Raises :class:`InputError`.
    """
    folder = Path(folder).expanduser()
    if name in ARCHIVES:
        return _from_archive(name, folder)
    if name in BY_HAND:
        return replace(as_node_graph(_put_by_hand(folder / name)), name=name)
    if not Path(name).expanduser().exists():
        raise InputError(f"{name} is no set ({', '.join((*ARCHIVES, *BY_HAND))}) and no file; check the name")
    return as_node_graph(name)


def _put_by_hand(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path} is missing; put it there by hand, from the Google Drive that {PAGE} links to")
    return path


def _from_archive(name: str, folder: Path) -> NodeGraph:
    archive, member = ARCHIVES[name]
    path = fetched(folder / archive, BASE)
    with refusing(path):
        graph = to_graph(parse_mat(io.BytesIO(unpacked(path, member)), f"{path}, {member}"), name=f"{path}, {member}")
    return replace(graph, name=name)
