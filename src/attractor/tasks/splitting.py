"""Which of numbered things train and which validate: as the caller says, or a share held out."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from attractor.data.graphs.splits import Split
from attractor.errors import InputError


def asked_for(known: Tensor, train: Any, validation: Any, count: int, thing: str) -> tuple[Tensor, Tensor | None]:
    """Numbers of the things that train, by default all ``known`` that do not validate, and of those that do, or None.

    ``train`` and ``validation`` are bool ``(count,)``, numbers of things, or None.
    """
    held_out = None if validation is None else numbers_of("validation", validation, count, thing)
    if train is not None:
        return numbers_of("train", train, count, thing), held_out
    return known if held_out is None else without(known, held_out), held_out


def hold_out(numbers: Tensor, labels: Tensor | None, share: float, seed: int, thing: str) -> tuple[Tensor, Tensor]:
    """The numbers but a ``share`` of them, and that share; each has its part of every class where labels are known."""
    strata = None if labels is None else labels[numbers].numpy()
    try:
        parts = train_test_split(numbers.numpy(), stratify=strata, test_size=share, random_state=seed)
    except ValueError:  # scikit-learn, of fewer than two of a class, or more classes than are held out
        raise InputError(
            f"{len(numbers)} {thing}s have too few of one class to hold some of each out; label more, or give "
            "validation"
        ) from None
    rest, held_out = (torch.from_numpy(part).sort().values for part in parts)
    return rest, held_out


def split_of(known: Tensor, train: Tensor, validation: Tensor, thing: str) -> Split:
    """Those ``known`` that are in neither part test; raises :class:`InputError` on what is in both."""
    if len(both := train[torch.isin(train, validation)]):
        raise InputError(
            f"{len(both)} {thing}s train and validate, {thing} {int(both[0])} first; leave them out of one"
        )
    return Split(train, validation, without(known, torch.cat([train, validation])))


def without(numbers: Tensor, others: Tensor) -> Tensor:
    """The numbers that are not among the others."""
    return numbers[torch.isin(numbers, others, invert=True)]


def numbers_of(name: str, some: Any, count: int, thing: str) -> Tensor:
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


def split_tensors(split: Split) -> dict[str, Tensor]:
    """The numbers of every part, by name, to be saved."""
    return {f"split.{name}": numbers for name, numbers in vars(split).items()}


def load_split(tensors: dict[str, Tensor]) -> Split:
    """What :func:`split_tensors` named."""
    return Split(*(tensors[f"split.{part.name}"] for part in fields(Split)))
