"""One-class detection among graphs: ours beside plain statistics, as JSON under results/.

    python benchmarks/graphs_oneclass.py --data DIR

DIR holds ``MUTAG.zip`` and so on, in the TU layout. Each class in turn is normal: methods learn from nine tenths of its
graphs, and are tested on the last tenth and as many graphs of other classes, both drawn by the seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from graphs_statistics import statistics
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.graph_sets import as_graph_set
from attractor.files import read_json, write_json
from attractor.models.standardize import Standardize
from attractor.provenance import provenance
from attractor.scoring.gaussian import LatentGaussian
from attractor.scoring.neighbours import NearestNeighbours
from attractor.tasks import GraphAnomalyDetector
from attractor.tasks.nodes.evaluate import spread

SEEDS = {"MUTAG": (0, 1, 2), "PROTEINS": (0, 1, 2), "ENZYMES": (0,)}  # ENZYMES has six classes
TEST = 0.1  # of the normal graphs


def attractor(graphs: GraphSet, train: Tensor, test: Tensor, seed: int) -> NDArray[np.float64]:
    """Our detector, as a user would call it: a third of the training graphs calibrates it."""
    return GraphAnomalyDetector(seed=seed).fit(graphs[train]).decision_function(graphs[test])


def plain_mahalanobis(graphs: GraphSet, train: Tensor, test: Tensor, seed: int) -> NDArray[np.float64]:
    """Ledoit-Wolf Mahalanobis distance of standardised statistics; nothing is held out."""
    known, asked = scaled_statistics(graphs, train, test)
    gaussian = LatentGaussian(known.shape[1])
    gaussian.update(known)
    return gaussian.finish().score(asked).numpy()


def plain_neighbours(graphs: GraphSet, train: Tensor, test: Tensor, seed: int) -> NDArray[np.float64]:
    """Mean distance of standardised statistics to the five nearest; nothing is held out."""
    known, asked = scaled_statistics(graphs, train, test)
    return NearestNeighbours(metric="euclidean").fit(known).score(asked).numpy()


METHODS = {"attractor": attractor, "plain_mahalanobis": plain_mahalanobis, "plain_neighbours": plain_neighbours}


def scaled_statistics(graphs: GraphSet, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """In deviations from the mean of the graphs that train."""
    x = statistics(graphs)
    scale = Standardize(x.shape[1]).fit(x[train])
    return scale(x[train]), scale(x[test])


def turns(graphs: GraphSet, seed: int) -> Iterator[tuple[int | str, Tensor, Tensor, Tensor]]:
    """Of every class its name, numbers of the graphs that train, of normal and of odd ones that test."""
    for code, name in enumerate(graphs.y.values):
        generator = np.random.default_rng((seed, code))
        normal, others = (
            generator.permutation((graphs.y.codes == code).nonzero()[:, 0])
            if same
            else generator.permutation((graphs.y.codes != code).nonzero()[:, 0])
            for same in (True, False)
        )
        count = round(TEST * len(normal))
        yield name, *map(torch.from_numpy, (np.sort(normal[count:]), normal[:count], others[:count]))
