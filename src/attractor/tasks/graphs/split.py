"""Which graphs train and which validate: as the caller says, or a share held out; nothing is guessed silently."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attractor.data.graphs.splits import Split
from attractor.errors import InputError
from attractor.tasks.splitting import asked_for, hold_out, split_of

SMALLEST = 10  # graphs without which neither training nor validation means anything
HELD_OUT = 0.1


def resolve_split(
    count: int, labels: Tensor | None, train: Any, validation: Any, seed: int, share: float = HELD_OUT
) -> Split:
    """Graphs by number, of ``count``; ``train`` and ``validation`` are bool ``(G,)``, numbers of graphs, or None.

    Of those that train (by default all whose class is known) a ``share`` is held out for validation unless the caller
    says which validate, perhaps none; those do not train. By classes ``labels (G,)``, -1 where not known, it is
    stratified. What is left is ``test``. Raises :class:`InputError` on what cannot be trained on.
    """
    known = torch.arange(count) if labels is None else (labels >= 0).nonzero().flatten()
    fitting, held_out = asked_for(known, train, validation, count, "graph")
    if len(fitting) < SMALLEST:
        raise InputError(f"{len(fitting)} graphs to learn from are too few; give {SMALLEST} or more")
    if held_out is None:
        fitting, held_out = hold_out(fitting, labels, share, seed, "graph")
    if labels is not None:
        _check_classes(labels, fitting, held_out)
    return split_of(known, fitting, held_out, "graph")


def _check_classes(labels: Tensor, train: Tensor, validation: Tensor) -> None:
    for name, graphs in {"train": train, "validation": validation}.items():
        if len(unknown := graphs[labels[graphs] < 0]):
            raise InputError(f"{name} has {len(unknown)} graphs without a class, graph {int(unknown[0])} first")
    if len(labels[train].unique()) < 2:
        raise InputError("all graphs that train have one class; add some of another, or use GraphAnomalyDetector")
