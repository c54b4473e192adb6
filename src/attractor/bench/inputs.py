"""Random inputs of the cases as files, so that every side reads the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Maker = Callable[[Path, int], Path]

GRAPHS, SMALLEST, LARGEST, KINDS = 64, 30, 50, 16  # of atoms
NODES, LINKS, FEATURES = 11_944, 106_000, 25
PHOTOGRAPHS, WIDTH, HEIGHT = 512, 500, 375


def molecules(folder: Path, seed: int) -> Path:
    """Random trees that branch near their ends, and a ring closed for every fourth node; degree 2.4 on the average.

    ``sizes (G,)``, ``edges (2, E)`` once each and ``edge_index (2, 2 E)`` both ways, ``x (N, 16)``, ``y (G,)``.
    """
    draw = np.random.default_rng(seed)
    sizes = draw.integers(SMALLEST, LARGEST + 1, GRAPHS)
    found = [start + bonds(draw, size) for start, size in zip(sizes.cumsum() - sizes, sizes, strict=True)]
    x = np.eye(KINDS, dtype=np.float32)[draw.integers(KINDS, size=sizes.sum())]
    edges = np.concatenate(found, axis=1)
    both = np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)
    y = draw.integers(2, size=GRAPHS)
    np.savez(folder / "molecules.npz", sizes=sizes, edges=edges, edge_index=both, x=x, y=y)
    return folder / "molecules.npz"


def bonds(draw: np.random.Generator, size: int) -> NDArray[np.int64]:
    """The edges of one of them, ``(2, E)`` once each."""
    tree = [(node, draw.integers(max(0, node - 4), node)) for node in range(1, size)]
    rings = [draw.choice(size, 2, replace=False) for _ in range(size // 4)]
    return np.array([*tree, *rings]).T


def reviewers(folder: Path, seed: int) -> Path:
    """A graph of as many nodes and edges as Amazon's reviewers have, degrees by a power law; one node in 15 is odd."""
    draw = np.random.default_rng(seed)
    popularity = draw.pareto(2.0, NODES) + 1
    ends = draw.choice(NODES, (2, LINKS), p=popularity / popularity.sum())
    x = draw.standard_normal((NODES, FEATURES), dtype=np.float32)
    y = (draw.random(NODES) < 1 / 15).astype(np.int64)
    np.savez(folder / "reviewers.npz", x=x, y=y, edge_index=ends)
    return folder / "reviewers.npz"


def photographs(folder: Path, seed: int) -> Path:
    """Smooth noise, saved as a camera would: JPEGs of some 40 kB."""
    draw = np.random.default_rng(seed)
    (folder / "photographs").mkdir()
    for number in range(PHOTOGRAPHS):
        coarse = Image.fromarray(draw.integers(256, size=(48, 64, 3), dtype=np.uint8))
        coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(
            folder / "photographs" / f"{number:04}.jpg", quality=90
        )
    return folder / "photographs"
