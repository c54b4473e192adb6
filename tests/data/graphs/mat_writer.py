"""Miniatures of the published .mat files: the same names, shapes, formats and kinds of numbers."""

import numpy as np
from scipy import sparse


def _made(nodes: int, features: int, relations: tuple[str, ...]) -> dict[str, object]:
    rng = np.random.default_rng(0)
    arrays: dict[str, object] = {
        "features": sparse.csc_matrix(rng.normal(size=(nodes, features)).round(3)),
        "label": rng.integers(0, 2, (1, nodes)).astype(np.uint8),
    }
    homo = sparse.csc_matrix((nodes, nodes))
    for name in relations:
        ends = rng.integers(0, nodes, (2, 4 * nodes))
        one_way = sparse.csc_matrix((np.ones(4 * nodes), ends), shape=(nodes, nodes))
        arrays[name] = (one_way + one_way.T).sign().tocsc()
        homo = homo + arrays[name]
    return {"homo": homo.sign().tocsc(), **arrays}


def yelp(nodes: int) -> dict[str, object]:
    """As YelpChi.mat, which has 45,954 nodes."""
    return _made(nodes, 32, ("net_rur", "net_rtr", "net_rsr"))


def amazon(nodes: int) -> dict[str, object]:
    """As Amazon.mat, which has 11,944 nodes."""
    return _made(nodes, 25, ("net_upu", "net_usu", "net_uvu"))
