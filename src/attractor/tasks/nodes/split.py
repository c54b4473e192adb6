"""Which nodes train and which validate: as the caller says, or a third held out; nothing is guessed silently."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from attractor.data.graphs.splits import Split
from attractor.errors import InputError

SMALLEST = 10  # nodes without which neither training nor validation means anything
HELD_OUT = 1 / 3


def resolve_split(nodes: int, labels: Tensor | None, train: Any, validation: Any, seed: int) -> Split:
    """Nodes by number, of so many. ``train`` and ``validation`` are bool ``(N,)``, numbers of nodes, or None.

    Where only those that train are given a third of them is held out for validation, stratified; where only those that
    validate are, all others train; where neither is, both come of all nodes. With ``labels (N,)``, of 1, 0 and -1, all
    means the labelled. What then is left is ``test``. Raises :class:`InputError` on what cannot be trained on.
    """
    y = torch.zeros(nodes, dtype=torch.int64) if labels is None else labels
    known = (y >= 0).nonzero().flatten()
    if len(known) < SMALLEST:
        raise InputError(f"{len(known)} nodes to learn from are too few; give {SMALLEST} or more")
    held_out = None if validation is None else numbers_of("validation", validation, nodes)
    if train is not None:
        fitting = numbers_of("train", train, nodes)
    else:
        fitting = known if held_out is None else _without(known, held_out)
    _check("train", fitting, labels)
    if held_out is None:
        fitting, held_out = _hold_out(fitting, labels, seed)
    _check("validation", held_out, labels)
    if len(both := fitting[torch.isin(fitting, held_out)]):
        raise InputError(f"{len(both)} nodes train and validate, node {int(both[0])} first; leave them out of one")
    return Split(fitting, held_out, _without(known, torch.cat([fitting, held_out])))


def numbers_of(name: str, some: Any, count: int, thing: str = "node") -> Tensor:
    """A mask ``(count,)`` or numbers of things as ascending numbers; raises :class:`InputError` naming it."""
    try:
        given = torch.as_tensor(some).cpu()
    except (TypeError, ValueError, RuntimeError):  # torch, of text, sets and rows of different lengths
        raise InputError(f"{name} must be bool ({count},) or numbers of {thing}s, not {some!r:.80}") from None
    if given.dtype == torch.bool:
        if given.shape != (count,):
            raise InputError(f"{name} is a mask of shape {tuple(given.shape)}; give one of ({count},), one a {thing}")
        return given.nonzero().flatten()
    if given.ndim != 1 or (given.numel() and (given.is_floating_point() or given.is_complex())):
        kind = f"{given.dtype} {tuple(given.shape)}"
        raise InputError(f"{name} must be bool ({count},) or numbers of {thing}s, not {kind}")
    numbers = given.long().unique()
    if len(given) == count > 2 and not ((numbers < 0) | (numbers > 1)).any():
        raise InputError(f"{name} is 0 or 1 for every {thing}; give it as bool, for numbers name {thing}s")
    if len(numbers) and not 0 <= numbers[0] <= numbers[-1] < count:
        wrong = int(numbers[0] if numbers[0] < 0 else numbers[-1])
        raise InputError(f"{name} names {thing} {wrong}, but {thing}s are numbered 0 to {count - 1}")
    return numbers


def _hold_out(nodes: Tensor, labels: Tensor | None, seed: int) -> tuple[Tensor, Tensor]:
    """Two thirds and one third of the nodes, each with its share of anomalies where labels are known."""
    strata = None if labels is None else labels[nodes].numpy()
    try:
        parts = train_test_split(nodes.numpy(), stratify=strata, test_size=HELD_OUT, random_state=seed)
    except ValueError:  # scikit-learn, of fewer than two of a class
        raise InputError(
            f"{len(nodes)} nodes have too few of one class to hold some of both out; label more, or give validation"
        ) from None
    fitting, held_out = (torch.from_numpy(part).sort().values for part in parts)
    return fitting, held_out


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


def _without(nodes: Tensor, others: Tensor) -> Tensor:
    return nodes[torch.isin(nodes, others, invert=True)]
