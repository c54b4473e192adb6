"""Images as graphs of their superpixels, in the official split."""

from __future__ import annotations

import io
import pickle
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from attractor.data.downloads import fetched, unpacked
from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.pyg_graphs import from_fields
from attractor.data.graphs.raw import refusing
from attractor.errors import InputError

BASE = "https://data.pyg.org/datasets/benchmarking-gnns/"
SUPERPIXELS = ("MNIST", "CIFAR10")
PARTS = ("train", "val", "test")


def superpixel_sets(name: str, folder: str | PathLike[str]) -> dict[str, GraphSet]:
    """``MNIST`` or ``CIFAR10`` as ``train``, ``val`` and ``test``, fetched into ``folder`` once.

    A node has the mean colour of its superpixel and the place of its centre, 1 + 2 or 3 + 2 numbers; an edge, to one of
    its 8 nearest, how near it is. What is kept of the archive, and when :class:`InputError` is raised: :func:`fetched`.
    Source: Dwivedi et al. (2023), Benchmarking graph neural networks, as PyG hands it out.
    """
    name = name.upper()
    if name not in SUPERPIXELS:
        raise InputError(f"{name} is no set of superpixels; there are {' and '.join(SUPERPIXELS)}")
    member = f"{name}_v2.pt"
    path = fetched(Path(folder).expanduser() / f"{name}_v2.zip", BASE)
    with refusing(path):
        parts = _load(unpacked(path, member), f"{path}, {member}")
        if len(parts) != len(PARTS):
            raise InputError(
                f"{path}, {member} has {len(parts)} parts, not {', '.join(PARTS)}; delete it to fetch again"
            )
        return {part: _graphs(graphs, f"{name}, {part}") for part, graphs in zip(PARTS, parts, strict=True)}


def _load(content: bytes, name: str) -> Any:
    try:
        return torch.load(io.BytesIO(content), weights_only=True)
    except pickle.UnpicklingError:  # torch's own words advise to run the code in it
        raise InputError(f"{name} holds something else than tensors, refused; delete it to fetch it again") from None


def _graphs(graphs: list[dict[str, Any]], name: str) -> GraphSet:
    """Colour and place side by side, as the benchmark's own nodes have them."""
    return from_fields([{**graph, "x": torch.cat([graph["x"], graph["pos"]], dim=1)} for graph in graphs], name=name)
