"""Which nodes train and which validate: as the caller says, or a third held out; nothing is guessed silently."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attractor.data.graphs.splits import Split
from attractor.errors import InputError
from attractor.tasks.splitting import asked_for, hold_out, split_of

SMALLEST = 10  # nodes without which neither training nor validation means anything
HELD_OUT = 1 / 3


def resolve_split(count: int, labels: Tensor | None, train: Any, validation: Any, seed: int) -> Split:
    """Nodes by number, of ``count``. ``train`` and ``validation`` are bool ``(N,)``, numbers of nodes, or None.

    With ``train`` alone, a third of it, stratified by labels, is held out for validation; with ``validation`` alone,
    all other nodes train; with neither, a third of all nodes validates and the rest trains. With ``labels (N,)`` of 1,
    0 and -1, "all" means the labelled ones; those in neither part are ``test``. Raises :class:`InputError` on what
    cannot be trained on.
    """
    known = torch.arange(count) if labels is None else (labels >= 0).nonzero().flatten()
    if len(known) < SMALLEST:
        raise InputError(f"{len(known)} nodes to learn from are too few; give {SMALLEST} or more")
    fitting, held_out = asked_for(known, train, validation, count, "node")
    _check("train", fitting, labels)
    if held_out is None:
        fitting, held_out = hold_out(fitting, labels, HELD_OUT, seed, "node")
    _check("validation", held_out, labels)
    return split_of(known, fitting, held_out, "node")


def _check(name: str, nodes: Tensor, labels: Tensor | None) -> None:
    if not len(nodes):
        raise InputError(f"{name} has no nodes; give at least one")
    if labels is None:
        return
    if len(unknown := nodes[labels[nodes] < 0]):
        raise InputError(
            f"{name} has {len(unknown)} nodes without a label, node {int(unknown[0])} first; leave them out"
        )
    if len(classes := labels[nodes].unique()) < 2:
        kind = ("normal", "anomalous")[int(classes[0])]
        raise InputError(f"{name} has {kind} nodes alone; add some of the other class, or fit without labels")
