"""Which graphs train and which validate: as the caller says, or a share held out; nothing is guessed silently."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from attractor.data.graphs.folds import Fold
from attractor.errors import InputError
from attractor.tasks.nodes.split import numbers_of

SMALLEST = 10  # graphs without which neither training nor validation means anything
HELD_OUT = 0.1


def resolve_split(
    y: Tensor | None, count: int, train: Any, validation: Any, seed: int, share: float = HELD_OUT
) -> Fold:
    """Graphs by number, of ``count``; ``train`` and ``validation`` are bool ``(G,)``, numbers of graphs, or None.

    Of those that train (by default all whose class is known) a ``share`` is held out for validation unless the caller
    says which validate, perhaps none; those do not train. By classes ``y (G,)``, -1 where not known, it is stratified.
    What is left is ``test``. Raises :class:`InputError` on what cannot be trained on.
    """
    known = torch.arange(count) if y is None else (y >= 0).nonzero().flatten()
    held_out = None if validation is None else numbers_of("validation", validation, count, "graph")
    fitting = known if train is None else numbers_of("train", train, count, "graph")
    if train is None and held_out is not None:
        fitting = _without(fitting, held_out)
    if len(fitting) < SMALLEST:
        raise InputError(f"{len(fitting)} graphs to learn from are too few; give {SMALLEST} or more")
    if held_out is None:
        fitting, held_out = _hold_out(fitting, y, seed, share)
    if len(both := fitting[torch.isin(fitting, held_out)]):
        raise InputError(f"{len(both)} graphs train and validate, graph {int(both[0])} first; leave them out of one")
    if y is not None:
        _check_classes(y, fitting, held_out)
    return Fold(fitting, held_out, _without(known, torch.cat([fitting, held_out])))


def _hold_out(graphs: Tensor, y: Tensor | None, seed: int, share: float) -> tuple[Tensor, Tensor]:
    strata = None if y is None else y[graphs].numpy()
    try:
        parts = train_test_split(graphs.numpy(), stratify=strata, test_size=share, random_state=seed)
    except ValueError:  # scikit-learn, of fewer than two of a class, or more classes than are held out
        raise InputError(
            f"{len(graphs)} graphs have too few of one class to hold some of each out; label more, or give validation"
        ) from None
    fitting, held_out = (torch.from_numpy(part).sort().values for part in parts)
    return fitting, held_out


def _check_classes(y: Tensor, train: Tensor, validation: Tensor) -> None:
    for name, graphs in {"train": train, "validation": validation}.items():
        if len(unknown := graphs[y[graphs] < 0]):
            raise InputError(f"{name} has {len(unknown)} graphs without a class, graph {int(unknown[0])} first")
    if len(y[train].unique()) < 2:
        raise InputError("all graphs that train have one class; add some of another, or use GraphAnomalyDetector")


def _without(graphs: Tensor, others: Tensor) -> Tensor:
    return graphs[torch.isin(graphs, others, invert=True)]
