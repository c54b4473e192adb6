"""Sizes of a published network, read off the names and shapes of its arrays."""

from __future__ import annotations

from collections.abc import Collection
from math import isqrt

from torch import Tensor

from attractor.errors import InputError

Tensors = dict[str, Tensor]
SHOWN = 6


def require_names(source: str, found: Collection[str], expected: Collection[str]) -> None:
    """Raise :class:`InputError` listing what is missing and what is unknown, unless the names are the same."""
    missing, unknown = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    problems = [f"without {_some(missing)}"] * bool(missing) + [f"with unknown {_some(unknown)}"] * bool(unknown)
    if problems:
        raise InputError(f"{source} is a checkpoint {' and '.join(problems)}; give a whole one, as published")


def read_sizes(source: str, tensors: Tensors, shapes: dict[str, str]) -> dict[str, int]:
    """What the letters in ``shapes`` stand for: ``{"Wq": "HYD"}`` and ``Wq (4, 8, 32)`` give H 4, Y 8, D 32.

    A letter is the same number wherever it stands and ``1`` is one; anything else raises :class:`InputError`.
    """
    sizes = {"1": 1}
    for name, letters in shapes.items():
        shape = tuple(tensors[name].shape)
        expected = ", ".join(str(sizes.get(letter, letter)) for letter in letters)
        fits = len(shape) == len(letters)
        if not fits or any(sizes.setdefault(letter, n) != n for letter, n in zip(letters, shape, strict=True)):
            raise InputError(f"{source}: {name} has shape {shape}, not ({expected}); give a published checkpoint")
    return sizes


def read_patch(source: str, pixels: int) -> tuple[int, int]:
    """Channels and side of a patch of this many values: ``3 p p`` and ``p p`` are never the same number."""
    for channels in (3, 1):
        patch = isqrt(pixels // channels)
        if patch and channels * patch**2 == pixels:
            return channels, patch
    raise InputError(f"{source}: {pixels} values a patch are no square of 1 or 3 channels; give a published checkpoint")


def read_image_size(source: str, tokens: int, patch: int, given: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width in pixels of ``tokens`` patches: ``given``, which must have as many, or a square."""
    if tokens < 1:
        raise InputError(f"{source} has places for no patches; give a published checkpoint")
    if given is None:
        given = (isqrt(tokens) * patch, isqrt(tokens) * patch)
    height, width = given
    if height % patch or width % patch or (height // patch) * (width // patch) != tokens:
        raise InputError(
            f"{source} has {tokens} patches of {patch} x {patch} pixels, which {height} x {width} has not; "
            "set image_size to the height and width it was trained at"
        )
    return height, width


def count(tensors: Tensors, prefix: str) -> int:
    """How many different ``i`` there are in names that begin with ``<prefix>i.``."""
    return len({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" * (len(names) > SHOWN)
    return ", ".join(names[:SHOWN]) + more
