"""Which graphs train, which choose the epoch, and which test, fold by fold."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from torch import Tensor

from attractor.data.graphs.splits import Split
from attractor.errors import InputError

TRAINED_SHARE = 0.1  # of the graphs outside the test part of a published fold, scored beside it


def folds(y: Tensor, count: int = 10, seed: int = 0, validation: float = 0.1) -> list[Split]:
    """Stratified cross-validation: every graph is tested in one fold, and in no other part of that.

    ``y (G,)`` are class codes; graphs with -1 are in no part. Of what a fold does not test, the share ``validation``,
    stratified too, chooses the epoch. Raises :class:`InputError` on a share outside (0, 1), and where a class has fewer
    graphs than there are folds.
    """
    if not 0 < validation < 1:
        raise InputError(f"validation is {validation}: give a share between 0 and 1, such as 0.1")
    graphs, labels = _known(y, count)
    members = torch.from_numpy(labels).bincount()
    fewest = int(members[members > 0].min())
    if fewest < count:
        raise InputError(f"a class has {fewest} graphs only, which {count} folds cannot share; ask for fewer folds")
    found = []
    for rest, test in StratifiedKFold(count, shuffle=True, random_state=seed).split(graphs, labels):
        try:
            parts = train_test_split(rest, test_size=validation, stratify=labels[rest], random_state=seed)
        except ValueError:  # a part smaller than the number of classes
            classes = int((members > 0).sum())
            raise InputError(
                f"validation on {100 * validation:.0f} % of {len(rest)} graphs cannot have all {classes} classes; "
                "ask for a larger share"
            ) from None
        found.append(_fold(graphs, *parts, test))
    return found


def published_folds(y: Tensor, count: int = 10, seed: int = 0) -> list[Split]:
    """The published protocol, which scores training graphs: of use beside the published table alone.

    All graphs train, in every fold. A fold scores what K-fold cross-validation would test, and with it 10 % of what it
    would train on. Nothing validates: the last epoch counts. ``y`` and errors as of :func:`folds`. Source: the
    notebooks released with Hoover et al. (2023), Energy Transformer.
    """
    graphs, _ = _known(y, count)
    found = []
    for rest, test in KFold(count, shuffle=True, random_state=seed).split(graphs):
        _, trained = train_test_split(rest, test_size=TRAINED_SHARE, random_state=seed)
        found.append(_fold(graphs, range(len(graphs)), [], [*trained, *test]))
    return found


def _known(y: Tensor, count: int) -> tuple[Tensor, NDArray]:
    """The graphs whose class is known, and their classes; :class:`InputError` where they are fewer than the folds."""
    graphs = (y >= 0).nonzero().flatten().cpu()
    if not 2 <= count <= len(graphs):
        raise InputError(
            f"{count} folds of {len(graphs)} graphs with a class cannot be; ask for 2 or more, as many at most"
        )
    return graphs, y.cpu()[graphs].numpy()


def _fold(graphs: Tensor, *parts: Sequence[int] | NDArray) -> Split:
    """Parts of the ``graphs``, in ascending order."""
    return Split(*(graphs[torch.as_tensor(part, dtype=torch.int64)].sort().values for part in parts))
