"""How a model of one size looks at an image of any size, and how what it paints comes back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.data.masks import pixels_of
from attractor.models import ImageETConfig

Size = tuple[int, int]


@dataclass(frozen=True)
class Frame:
    """An image of ``image_size`` pixels seen at ``size``, a multiple of ``patch``; heights before widths."""

    image_size: Size
    size: Size
    patch: int

    @property
    def grid(self) -> Size:
        """Rows and columns of patches."""
        return self.size[0] // self.patch, self.size[1] // self.patch

    def pixels(self, hidden: Tensor) -> Tensor:
        """The image's pixels that hidden patches show, bool ``(N,) -> (H, W)``."""
        seen = pixels_of(hidden[None], self.grid, self.patch)
        return self.back(seen[None].float())[0, 0] > 0.5

    def restore(self, image: Tensor, mask: Tensor, painted: Tensor) -> Tensor:
        """``image (C, H, W)``, where ``mask`` is True with what was ``painted (C, h, w)``, else exactly as it is."""
        return torch.where(mask, self.back(painted[None])[0].clamp(0, 1), image)

    def look(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What is seen of ``image (C, H, W)``, ``(C, h, w)``, and which of its pixels are not, bool ``(h, w)``.

        No hidden pixel has a part in a pixel that is seen.
        """
        raise NotImplementedError

    def back(self, seen: Tensor) -> Tensor:
        """``(B, C, h, w)`` at the size of the image, ``(B, C, H, W)``."""
        raise NotImplementedError


class Padded(Frame):
    """The image at its own size, its last row and column repeated to whole patches."""

    def look(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels repeated from hidden ones are hidden."""
        (height, width), (h, w) = self.image_size, self.size
        margin = (0, w - width, 0, h - height)
        repeated = F.pad(torch.cat([image, mask[None].float()]), margin, mode="replicate")  # reflection needs more
        return repeated[:-1], repeated[-1] > 0

    def back(self, seen: Tensor) -> Tensor:
        """Without the padding."""
        return seen[..., : self.image_size[0], : self.image_size[1]]


class Resized(Frame):
    """The image resized, its aspect ratio not kept; what is hidden in part is seen by its visible pixels."""

    def look(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """A pixel is the mean of those in its place that are visible."""
        visible = (~mask).float()[None]
        shares = F.adaptive_avg_pool2d(visible, self.size)
        means = F.adaptive_avg_pool2d(image * visible, self.size) / shares.clamp_min(1e-6)
        blank = shares[0] == 0
        return torch.where(blank, F.adaptive_avg_pool2d(image, self.size), means), blank

    def back(self, seen: Tensor) -> Tensor:
        """Bicubic, antialiased where the image is the smaller one."""
        if self.size == self.image_size:
            return seen
        return F.interpolate(seen, self.image_size, mode="bicubic", antialias=True)


def frame(image_size: Size, config: ImageETConfig, size: str) -> Frame:
    """The frame of an image for a model: ``size`` is ``"model"`` (resized) or ``"own"`` (padded)."""
    p = config.patch
    if size == "model":
        return Resized(image_size, config.image_size, p)
    height, width = image_size
    return Padded(image_size, (-(-height // p) * p, -(-width // p) * p), p)
