"""The published YelpChi.mat and Amazon.mat: features, labels and three relations as sparse matrices."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
from scipy.io import loadmat, whosmat

from attractor.data.graphs.raw import RawGraph
from attractor.errors import InputError

YELP = ("net_rur", "net_rtr", "net_rsr")
AMAZON = ("net_upu", "net_usu", "net_uvu")
UNLABELLED = 3305  # the first nodes of Amazon.mat, which the file calls normal (Dou et al. 2020)


def read_mat(path: Path) -> RawGraph:
    """A MATLAB 5 file of ``features``, ``label`` and the relations of Yelp, those of Amazon, or ``homo``.

    Raises :class:`InputError` on a file of another kind, and where one of these is missing.
    """
    with path.open("rb") as file:
        return parse_mat(file, str(path))


def parse_mat(file: IO[bytes], name: str) -> RawGraph:
    """The same of an open file; errors call it ``name``."""
    if file.read(10) != b"MATLAB 5.0":
        raise InputError(f"{name} is no MATLAB 5 file; fetch it again, or save it with -v7")
    there = {variable for variable, *_ in whosmat(file, appendmat=False)}
    relations = next((names for names in (YELP, AMAZON) if there.intersection(names)), ("homo",))
    wanted = ("features", "label", *relations)
    if missing := [variable for variable in wanted if variable not in there]:
        raise InputError(f"{name} has no {missing[0]}; it must hold {', '.join(wanted)}")
    found = loadmat(file, appendmat=False, variable_names=wanted)
    y = found["label"].reshape(-1)
    labelled = np.arange(len(y)) >= UNLABELLED if relations is AMAZON else None
    return RawGraph(found["features"], {key.removeprefix("net_"): found[key] for key in relations}, y, labelled)
