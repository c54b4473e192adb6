"""Which part of an image is hidden: patches drawn by a seeded generator, or pixels that somebody marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.data.images import UnreadableImage
from attractor.errors import InputError

Grid = tuple[int, int]


def random_patches(count: int, grid: Grid, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Hide ``round(share N)`` patches of every image, drawn without replacement; bool ``(count, N)``."""
    if not 0 < share < 1:
        raise InputError(f"the share of hidden patches must lie between 0 and 1, not {share!r}")
    order = torch.rand(count, grid[0] * grid[1], generator=generator).argsort(dim=1)
    return order.argsort(dim=1) < max(1, round(share * order.shape[1]))


def random_blocks(count: int, grid: Grid, generator: torch.Generator | None = None) -> Tensor:
    """Hide one rectangle in every image, its sides a quarter to three quarters of the grid; bool ``(count, N)``."""
    spans = []
    for length in grid:
        shortest, longest = max(1, length // 4), max(1, 3 * length // 4)
        size = torch.randint(shortest, longest + 1, (count, 1), generator=generator)
        start = (torch.rand(count, 1, generator=generator) * (length - size + 1)).long()
        at = torch.arange(length)
        spans.append((at >= start) & (at < start + size))  # (count, length)
    return (spans[0].unsqueeze(2) & spans[1].unsqueeze(1)).flatten(1)


def central_block(count: int, grid: Grid) -> Tensor:
    """Hide the middle half of both sides; bool ``(count, N)``."""
    hidden = torch.zeros(grid, dtype=torch.bool)
    rows, columns = grid
    hidden[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4] = True
    return hidden.flatten().expand(count, -1)


def patches_of(pixels: Tensor, patch: int) -> Tensor:
    """A patch is hidden where any of its pixels is; bool ``(B, H, W) -> (B, N)``."""
    return F.max_pool2d(pixels[:, None].float(), patch).flatten(1) > 0


def pixels_of(hidden: Tensor, grid: Grid, patch: int) -> Tensor:
    """The pixels of hidden patches, bool ``(B, N) -> (B, H, W)``."""
    return hidden.unflatten(1, grid).repeat_interleave(patch, 1).repeat_interleave(patch, 2)


def as_masks(mask: Any, count: int) -> list[Tensor]:
    """Hidden pixels of each of ``count`` images, bool ``(H, W)``.

    ``mask`` is bool ``(H, W)``, the same for all of them, or ``(B, H, W)``, or a list of ``(H, W)`` for images of
    different sizes; arrays or tensors. Raises :class:`InputError` for anything else.
    """
    if isinstance(mask, (list, tuple)):
        masks = [_bool(item) for item in mask]
    else:
        whole = _bool(mask)
        masks = list(whole) if whole.ndim == 3 else [whole] * count
    if len(masks) != count:
        raise InputError(f"{len(masks)} masks for {count} images; give one of each, or one mask (H, W) for all")
    for found in masks:
        if found.ndim != 2:
            raise InputError(f"a mask has shape {tuple(found.shape)}; give (H, W), True where a pixel is hidden")
    return masks


def _bool(mask: Any) -> Tensor:
    found = mask.cpu() if isinstance(mask, Tensor) else np.asarray(mask)
    if found.dtype not in (torch.bool, np.bool_):
        raise InputError(f"the mask is {found.dtype}; give bool, True where a pixel is hidden (for example mask > 0)")
    return torch.as_tensor(found)


def check_mask(mask: Tensor, size: tuple[int, int], name: str) -> None:
    """Raise :class:`UnreadableImage` unless ``mask`` fits the image and leaves something to do and to go by."""
    if mask.shape != size:
        height, width = mask.shape
        reason = f"it has {size[1]} x {size[0]} pixels, its mask {width} x {height}; make them the same size"
        raise UnreadableImage(name, reason)
    if mask.all() or not mask.any():
        what = "everything; leave a part of the image visible" if mask.all() else "nothing; mark what is to be painted"
        raise UnreadableImage(name, f"its mask hides {what}")
