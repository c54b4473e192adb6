"""Which nodes or graphs train, which choose threshold and epoch, and which test."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor

from attractor.errors import InputError

TEST_SHARE = 0.67  # of the nodes that do not train


@dataclass(frozen=True, eq=False)
class Split:
    """Numbers of nodes or of graphs, int64 ``(n,)`` each, ascending."""

    train: Tensor
    validation: Tensor
    test: Tensor


def stratified_split(y: Tensor, train_fraction: float, seed: int) -> Split:
    """The published protocol: a fraction of the labelled nodes trains, of the rest 33 % validate and 67 % test.

    ``y (N,)`` is 1 anomalous, 0 normal, -1 in no part; no node is in two, and all have the share of anomalies, to a
    node. The published split has seed 2. Raises :class:`InputError` on a fraction outside (0, 1), and where the
    labelled nodes are too few for both classes in every part. Source: Tang et al. (2022), Rethinking graph neural
    networks for anomaly detection.
    """
    if not 0 < train_fraction < 1:
        raise InputError(f"train_fraction is {train_fraction}: give a share between 0 and 1, such as 0.4")
    labels = y.cpu().numpy()
    try:
        parts = _draw(labels, train_fraction, seed)
    except ValueError:  # scikit-learn, of fewer nodes than classes
        parts = ()
    if len(parts) == 0 or any(len(set(labels[part])) < 2 for part in parts):
        normal, anomalous = (int((labels == label).sum()) for label in (0, 1))
        raise InputError(
            f"{normal} normal and {anomalous} anomalous nodes are too few to train on "
            f"{100 * train_fraction:.2f} % of them and have both in train, validation and test: label more of the "
            "fewer, or train on another fraction"
        )
    return Split(*(torch.from_numpy(part).sort().values for part in parts))


def _draw(labels: NDArray, train_fraction: float, seed: int) -> tuple[NDArray, ...]:
    """Nodes that train, validate and test, in the order in which scikit-learn draws them."""
    nodes = (labels >= 0).nonzero()[0]
    train, rest = train_test_split(nodes, stratify=labels[nodes], train_size=train_fraction, random_state=seed)
    return train, *train_test_split(rest, stratify=labels[rest], test_size=TEST_SHARE, random_state=seed)
