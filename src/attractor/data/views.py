"""What the network sees of an image: all of it made small, and, when asked to, overlapping tiles at full resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST_SHOWN, SMALLEST_SHOWN = 512, 128  # pixels of the longer side


@dataclass(frozen=True)
class Viewing:
    """How images become views of ``size = (h, w)`` pixels.

    ``tiles=False``: one view, the whole image resized, its aspect ratio not kept. ``tiles=True``: views cut every
    half ``size`` in both directions, the last ones flush with the border, and last the whole image resized; an image
    whose longer side exceeds ``resolution`` is reduced to it first, one smaller than a tile is enlarged to it.
    """

    size: tuple[int, int]
    tiles: bool = False
    resolution: int = 256

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which an image is looked at."""
        if not self.tiles:
            return self.size
        scale = min(1.0, self.resolution / max(height, width))
        return max(self.size[0], round(height * scale)), max(self.size[1], round(width * scale))

    def origins(self, height: int, width: int) -> list[tuple[int, int]]:
        """Top left corners of the tiles on a canvas, in raster order."""
        rows, columns = (_starts(n, tile) for n, tile in zip((height, width), self.size, strict=True))
        return [(top, left) for top in rows for left in columns]


def _starts(length: int, tile: int) -> list[int]:
    last = length - tile
    return [*range(0, last, tile // 2), last] if last else [0]


@dataclass(frozen=True)
class Canvas:
    """One image as it was looked at: its number in the source, its own size, the size looked at, where views lie.

    With ``overview`` a view of the whole image follows those.
    """

    index: int
    image_size: tuple[int, int]
    size: tuple[int, int]
    origins: list[tuple[int, int]]
    overview: bool = False

    @property
    def views(self) -> int:
        """How many there are."""
        return len(self.origins) + self.overview


def stitch(maps: Tensor, canvas: Canvas, size: tuple[int, int]) -> Tensor:
    """One map per view but the overview, ``(V, rows, columns)``, as one map of the image as looked at, ``(H, W)``.

    Maps are enlarged to the view's pixels and averaged where views overlap, less towards their borders, where a
    patch has fewer neighbours to be judged by.
    """
    h, w = size
    enlarged = at_pixels(maps, size)
    if canvas.size == size:
        return enlarged[0]
    weight = _tent(h)[:, None] * _tent(w)
    total, weights = torch.zeros(2, *canvas.size, dtype=maps.dtype)
    for tile, (top, left) in zip(enlarged, canvas.origins, strict=True):
        total[top : top + h, left : left + w] += weight * tile
        weights[top : top + h, left : left + w] += weight
    return total / weights


def at_pixels(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps ``(V, rows, columns)`` at another size, bilinear."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Size at which heat maps are given and pictures shown: at most 512 pixels a side, small ones enlarged to 128."""
    longer = max(height, width)
    scale = min(1.0, LARGEST_SHOWN / longer) * max(1.0, SMALLEST_SHOWN / longer)
    return max(1, round(height * scale)), max(1, round(width * scale))


def enlarge(heat: Tensor, size: tuple[int, int]) -> np.ndarray:
    """A heat map ``(h, w)`` at another size, float32."""
    return at_pixels(heat[None].float(), size)[0].numpy()


def _tent(n: int) -> Tensor:
    return 1 - ((torch.arange(n) + 0.5) / n * 2 - 1).abs() + 0.05
