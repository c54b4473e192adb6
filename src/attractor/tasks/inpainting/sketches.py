"""Images on their way to be painted: read, masked, framed, and gathered into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attractor.data.images import UnreadableImage
from attractor.data.masks import as_masks, central_block, check_mask, patches_of, random_patches
from attractor.data.sources import ImageSource
from attractor.errors import InputError
from attractor.models import ImageETConfig
from attractor.scoring.inpainting import hidden_mse
from attractor.tasks import settings
from attractor.tasks.inpainting.framing import Frame, frame

IMAGES, PATCHES = 64, 2**13  # at most so many descend together

Masks = Callable[[int, Frame], Tensor]


@dataclass(frozen=True)
class Painting:
    """Image number ``index``, ``(C, H, W)`` in 0..1, its hidden pixels ``mask (H, W)``, and it ``filled`` in.

    ``unsettled``: the rule seeks a fixed point and ran out of steps.
    """

    index: int
    name: str
    image: Tensor
    mask: Tensor
    filled: Tensor
    unsettled: bool

    @property
    def mse(self) -> Tensor:
        """Mean squared error of the hidden pixels, ``()``; of a whole image it says how well they were painted."""
        return hidden_mse(self.image[None], self.filled[None], self.mask[None])[0]


@dataclass(frozen=True)
class Sketch:
    """An image as a model sees it: ``view (C, h, w)``, of which the pixels ``blank (h, w)`` are hidden."""

    index: int
    name: str
    image: Tensor
    mask: Tensor
    frame: Frame
    view: Tensor
    blank: Tensor

    def painting(self, painted: Tensor, unsettled: bool) -> Painting:
        """The finished image, from the view as it was painted."""
        # a patch counts as hidden if any of its pixels is: those that are known stay
        seen = torch.where(self.blank, painted, self.view)
        filled = self.frame.restore(self.image, self.mask, seen)
        return Painting(self.index, self.name, self.image, self.mask, filled, unsettled)

    @property
    def limit(self) -> int:
        """How many images like this one descend together."""
        rows, columns = self.frame.grid
        return max(1, min(IMAGES, PATCHES // (rows * columns)))


def prepare(
    source: ImageSource, masks: Masks, config: ImageETConfig, size: str, unreadable: list[UnreadableImage] | None
) -> Iterator[Sketch]:
    """Every image of a source as a model of these sizes sees it; ``size`` as :func:`frame` takes it.

    One that cannot be read, or whose mask leaves nothing to do or to go by, is appended to ``unreadable``, or raised
    where that is None.
    """
    for i in range(len(source)):
        try:
            yield _sketch(source, i, masks, config, size)
        except UnreadableImage as error:
            if unreadable is None:
                raise
            unreadable.append(error)


def _sketch(source: ImageSource, i: int, masks: Masks, config: ImageETConfig, size: str) -> Sketch:
    name, image = source.names[i], floats(source, i)
    height, width = image.shape[1:]
    framed = frame((height, width), config, size)
    mask = masks(i, framed)
    check_mask(mask, (height, width), name)
    view, blank = framed.look(image, mask)
    if patches_of(blank[None], config.patch).all():
        raise UnreadableImage(name, f"no patch of {config.patch} pixels is left whole for the model; hide less")
    return Sketch(i, name, image, mask, framed, view, blank)


def batches(sketches: Iterable[Sketch]) -> Iterator[list[Sketch]]:
    """Neighbours that are seen at one size, as many together as memory allows."""
    batch: list[Sketch] = []
    for sketch in sketches:
        if batch and (sketch.frame.size != batch[0].frame.size or len(batch) >= sketch.limit):
            yield batch
            batch = []
        batch.append(sketch)
    if batch:
        yield batch


def masks_by(mask: Any, count: int, share: float, seed: int) -> Masks:
    """Hidden pixels of image i of ``count``: as given, ``"block"``, or drawn from the seed and i where None."""
    if mask is None:
        seed = settings.seed(seed)
        return lambda i, framed: framed.pixels(random_patches(1, framed.grid, share, _generator(seed, i))[0])
    if isinstance(mask, str):
        if mask != "block":
            raise InputError(f"mask must be bool pixels, 'block' or None, not {mask!r}")
        return lambda i, framed: framed.pixels(central_block(1, framed.grid)[0])
    given = as_masks(mask, count)
    return lambda i, framed: given[i]


def _generator(seed: int, i: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1_000_003 + i)


def floats(source: ImageSource, i: int) -> Tensor:
    """Image i, float32 ``(C, H, W)`` in 0..1; an array that is grey or of C channels is not rounded to 8 bits."""
    item = source.items[i]
    if not isinstance(item, np.ndarray) or item.shape[2:] not in ((), (1,), (source.channels,)):
        item = source.read(i)
    most = np.iinfo(item.dtype).max if item.dtype.kind == "u" else 1
    pixels = torch.from_numpy(item.astype(np.float32)).reshape(*item.shape[:2], -1) / most
    return pixels.permute(2, 0, 1).expand(source.channels, -1, -1)
