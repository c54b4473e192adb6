"""Fixed step: what is published, and what training unrolls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from attractor.dynamics.landscape import Landscape
from attractor.dynamics.trace import Recorder
from attractor.energy.checks import is_number
from attractor.errors import InputError


@dataclass(frozen=True)
class Fixed:
    """``x <- x + alpha f``, with ``f = -dE/dg``; with ``noise`` a Langevin walk, ``+ sqrt(alpha) noise N(0, I)``.

    Raises :class:`InputError` on noise that is not a number of 0 or more.
    """

    noise: float = 0.0
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        if not is_number(self.noise) or not 0 <= self.noise < math.inf:
            raise InputError(f"noise must be 0 or more, not {self.noise!r}")

    def run(self, landscape: Landscape, x: Tensor, steps: int, step_size: float, recorder: Recorder | None) -> Tensor:
        """Exactly ``steps`` steps of ``step_size``."""
        for _ in range(steps):
            if recorder is None:
                update = step_size * landscape.force(x)
            else:
                here = landscape.at(x)
                recorder.state(here)
                update = step_size * here.force
            if self.noise:
                kick = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=self.generator)
                update = update + step_size**0.5 * self.noise * landscape.present(kick)
            if recorder is not None:
                recorder.step(step_size, update)
            x = x + update
            del update  # before the next force is taken: of a large graph it is a good part of the memory
        if recorder is not None:
            recorder.state(landscape.at(x))
        return x
