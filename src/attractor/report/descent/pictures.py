"""One image of a walk in numbers and pixels, as figures, animation and page show it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from torch import Tensor

from attractor.report.pictures import overlay
from attractor.tasks.inpainting.walk import Walk

LONG_SIDE = 384  # pixels that the longer side of a small picture is enlarged to, at least


@dataclass(frozen=True)
class Descent:
    """One sample of a :class:`Walk`: arrays for figures; S states, N patches."""

    walk: Walk
    sample: int = 0

    @cached_property
    def frames(self) -> np.ndarray:
        """The picture at every state, uint8 ``(S, H, W, 3)``."""
        return pixels(self.walk.frames[:, self.sample])

    @cached_property
    def readings(self) -> np.ndarray:
        """What every token shows at every state, uint8 ``(S, H, W, 3)``."""
        return pixels(self.walk.readings[:, self.sample])

    @cached_property
    def image(self) -> np.ndarray:
        """The image itself, uint8 ``(H, W, 3)``."""
        return pixels(self.walk.images[self.sample])

    @cached_property
    def energies(self) -> dict[str, np.ndarray]:
        """Total energy and its parts at every state, ``(S,)`` each."""
        return {name: numbers(values[:, self.sample]) for name, values in self.walk.energies.items()}

    @cached_property
    def falls(self) -> dict[str, np.ndarray]:
        """Energies minus those at the first state of the same block, for blocks do not share a zero."""
        starts = np.array([self.blocks.index(block) for block in self.blocks])
        return {name: values - values[starts] for name, values in self.energies.items()}

    @cached_property
    def forces(self) -> np.ndarray:
        """Norm of ``dE/dg`` at every state, ``(S,)``."""
        return numbers(self.walk.trace.forces[:, self.sample])

    @cached_property
    def norms(self) -> np.ndarray:
        """``|x|`` of every token at every state, ``(S, 1 + N)``."""
        return numbers(self.walk.token_norms[:, self.sample])

    @cached_property
    def moves(self) -> np.ndarray:
        """How far every token moved to reach each state, ``(S, 1 + N)``, 0 at the first."""
        updates = numbers(self.walk.token_updates[:, self.sample])
        return np.concatenate([np.zeros_like(self.norms[:1]), updates])

    @cached_property
    def farthest(self) -> float:
        """The brightest movement of a patch; 1 in 100 may go farther, else a few would leave the rest in the dark."""
        steps = self.moves[1:] if len(self.moves) > 1 else self.moves
        return float(np.quantile(steps[:, 1:], 0.99)) or 1.0

    @cached_property
    def blocks(self) -> list[int]:
        """The block of every state."""
        return [self.walk.block(state) for state in range(len(self.walk.trace.energies))]

    @cached_property
    def hidden(self) -> np.ndarray:
        """Which patches were not given, bool ``(N,)``."""
        return self.walk.hidden[self.sample].cpu().numpy()

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.walk.model.grid(self.walk.images)

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return self.walk.model.config.patch

    def watched(self, count: int = 3) -> list[int]:
        """``count`` hidden patches (any, where none is hidden), evenly in reading order: no choice of the prettiest."""
        patches = np.flatnonzero(self.hidden) if self.hidden.any() else np.arange(len(self.hidden))
        count = min(count, len(patches))
        return [int(patches[int((i + 0.5) * len(patches) / count)]) for i in range(count)]

    def attention(self, state: int) -> np.ndarray:
        """Where every token looks, heads averaged, ``(1 + N, 1 + N)``."""
        return numbers(self.walk.attention(state, self.sample).mean(dim=0))

    def on_picture(self, state: int, values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
        """Values of all patches ``(N,)`` as heat over the enlarged picture of a state, uint8 ``(h, w, 3)``."""
        picture = enlarged(self.frames[state])
        side = self.patch * (picture.shape[0] // self.frames[state].shape[0])
        heat = values.reshape(self.grid).repeat(side, axis=0).repeat(side, axis=1)
        return overlay(picture, heat, limits)

    def corner(self, patch: int) -> tuple[int, int]:
        """Row and column of a patch."""
        return divmod(patch, self.grid[1])


def numbers(values: Tensor) -> np.ndarray:
    """A tensor as float64, for drawing and JSON."""
    return values.double().cpu().numpy()


def pixels(pictures: Tensor) -> np.ndarray:
    """``(..., C, H, W)`` in 0..1 as uint8 ``(..., H, W, 3)``, grey as colour."""
    channels_last = (pictures.float().cpu() * 255).round().byte().movedim(-3, -1).numpy()
    return np.broadcast_to(channels_last, (*channels_last.shape[:-1], 3)).copy()


def enlarged(picture: np.ndarray) -> np.ndarray:
    """The picture with every pixel repeated until its longer side is ``LONG_SIDE`` or more: 64 pixels become 384."""
    height, width = picture.shape[:2]
    factor = -(-LONG_SIDE // max(height, width))
    return np.asarray(Image.fromarray(picture).resize((width * factor, height * factor), Image.Resampling.NEAREST))
