"""Guaranteed descent: every sample backtracks until its own energy has fallen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from attractor.dynamics.landscape import Landscape, State
from attractor.dynamics.trace import Recorder
from attractor.energy.ops.precision import at_least_float32

ARMIJO = 1e-4
TRIALS = 100  # a step; enough to come from 1e200 to one that moves nothing
FINE, COARSE = 1 / 2, 2.0**-10  # the next trial's share of a rejected one; coarse after an overflow or many trials


class Step(NamedTuple):
    """Where a step led, its sizes ``(B,)``, 0 where none was taken, and ``halted (B,)`` where g stood still."""

    state: State
    sizes: Tensor
    halted: Tensor


@dataclass(frozen=True)
class Guaranteed:
    r"""``x <- x + a f``, with ``f = -dE/dg`` and each sample's own ``a``, halved (after an overflow or 50 trials
    divided by 1,024) until (Armijo)::

        E(x + a f) <= E(x) - 1e-4 a f^T J f        (the energies as evaluated; J from ``norm.jacobian``, else 0)

    The energies it records never rise, in any precision; evaluated elsewhere or in another precision they agree to
    the rounding of the tokens' dtype. The first trial is the smaller of ``step_size`` and twice the last step, and an
    accepted trial is the next state, so a step costs what a fixed one with a trace does. A sample halts when a trial
    moves no entry of g by ``tolerance``, and then leaves the batch. ``growing`` lets steps double beyond ``step_size``.
    Step sizes are constants to autograd.
    Source: Armijo 1966; Nocedal and Wright, Numerical Optimization, algorithm 3.1.
    """

    tolerance: float = 1e-6
    growing: bool = False

    def run(self, landscape: Landscape, x: Tensor, steps: int, step_size: float, recorder: Recorder | None) -> Tensor:
        """At most ``steps`` steps of at most ``step_size``; stops when every sample has halted."""
        here = landscape.at(x)
        converged = torch.zeros_like(here.energy, dtype=torch.bool)
        moving = _finite(landscape, here).nonzero().squeeze(1)
        step_size = min(step_size, torch.finfo(here.energy.dtype).max)
        trial = torch.full_like(here.energy[moving], step_size)
        if recorder is not None:
            recorder.state(here)
            recorder.converged = converged
        for _ in range(steps):
            if not len(moving):
                break
            step = self._step(landscape.rows(moving), here.rows(moving), trial)
            before, here = here, here.put(moving, step.state)
            converged[moving[step.halted]] = True
            if recorder is not None:
                sizes = torch.zeros_like(here.energy).index_copy(0, moving, step.sizes)
                recorder.step(sizes, landscape.present(here.x - before.x))
                recorder.state(here)
            going = (step.sizes > 0) & ~step.halted
            moving, trial = moving[going], (2 * step.sizes[going]).clamp_max(math.inf if self.growing else step_size)
        return here.x

    def _step(self, landscape: Landscape, here: State, trial: Tensor, trials: int = TRIALS) -> Step:
        """One step of every sample, the first trials of size ``trial (B,)``."""
        there = landscape.at(here.x + (trial[:, None, None] * here.force).to(here.x.dtype))
        finite = _finite(landscape, there)
        if trials and not finite.all():  # again for all: the NaN of one must not enter the graph of the others
            return self._step(landscape, here, torch.where(finite, trial, trial * COARSE), trials - 1)
        lower = finite & (there.energy <= here.energy - ARMIJO * trial * _slope(landscape, here))
        halted = _change(landscape, here, there) < self.tolerance
        sizes = torch.where(lower, trial, 0)
        again = ~(lower | halted) & (trials > 0)
        stay = (~(lower | again)).nonzero().squeeze(1)
        if len(stay):
            there = there.put(stay, here.rows(stay))
        again = again.nonzero().squeeze(1)
        if len(again):
            smaller = trial[again] * (FINE if trials > TRIALS // 2 else COARSE)
            rest = self._step(landscape.rows(again), here.rows(again), smaller, trials - 1)
            there = there.put(again, rest.state)
            sizes, halted = sizes.index_copy(0, again, rest.sizes), halted.index_copy(0, again, rest.halted)
        return Step(there, sizes, halted)


@torch.no_grad()
def _finite(landscape: Landscape, state: State) -> Tensor:
    """Where energy, force and the squared length of x, which the norm divides by, have not overflowed, ``(B,)``."""
    lengths = at_least_float32(landscape.present(state.x)).square() + at_least_float32(state.force).square()
    return state.energy.isfinite() & lengths.sum(dim=(1, 2)).isfinite()


@torch.no_grad()
def _slope(landscape: Landscape, here: State) -> Tensor:
    """``f^T J f``, the rate at which E falls along f, ``(B,)``."""
    jacobian = getattr(landscape.norm, "jacobian", None)
    if jacobian is None:
        return torch.zeros_like(here.energy)
    product = at_least_float32(landscape.present(here.force * jacobian(here.x, here.force)))
    return product.sum(dim=(1, 2)).clamp_min(0)


@torch.no_grad()
def _change(landscape: Landscape, here: State, there: State) -> Tensor:
    """``max |g_{t+1} - g_t|``, ``(B,)``."""
    return landscape.present(there.g - here.g).abs().amax(dim=(1, 2))
