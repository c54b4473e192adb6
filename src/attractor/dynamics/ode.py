"""The continuous flow, by an adaptive solver."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from attractor.dynamics.landscape import Landscape
from attractor.dynamics.trace import Recorder
from attractor.energy.checks import require_positive
from attractor.energy.ops.precision import at_least_float32
from attractor.errors import InputError

MOST_STEPS = 100_000  # between two stops: beyond it the flow is too stiff, or the time too long, to wait for
METHODS = ("dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun")


@dataclass(frozen=True)
class ODE:
    """``tau dx/dt = -dE/dg`` up to time ``steps * step_size``, recorded at every multiple of ``step_size``.

    ``method`` is an adaptive solver of torchdiffeq, its error per step below ``atol + rtol |x|`` (root mean square
    over the batch, which shares its steps). ``adjoint`` trains in memory independent of time, by integrating back.
    Raises :class:`InputError` on an unknown method, a tau that is no number above 0, and where the solver gives up.
    Source: Energy Transformer (Hoover et al. 2023), equation 1; the adjoint from Chen et al. 2018.
    """

    tau: float = 1.0
    method: str = "dopri5"
    rtol: float = 1e-5
    atol: float = 1e-6
    adjoint: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        require_positive(tau=self.tau)

    def run(self, landscape: Landscape, x: Tensor, steps: int, step_size: float, recorder: Recorder | None) -> Tensor:
        """Integrate; without a recorder the solver chooses every step itself."""
        stops = [t * step_size for t in range(steps + 1)]
        if recorder is None:
            stops = [0.0, stops[-1]]
        given = landscape.present(x)  # what stands where no token is would enter the solver's error, hence its steps
        states = self._integrate(landscape, given, stops) if steps else given.unsqueeze(0)
        if given is not x:
            states = states + (x - given)
        if recorder is not None:
            _record(landscape, states, step_size, recorder)
        return states[-1]

    def _integrate(self, landscape: Landscape, x: Tensor, stops: list[float]) -> Tensor:
        """x at all stops, ``(T+1, B, N, D)``."""
        from torchdiffeq import odeint, odeint_adjoint  # here, for it imports SciPy's solvers, which takes a second

        times = torch.tensor(stops, dtype=at_least_float32(x).dtype, device=x.device)
        options = {"max_num_steps": MOST_STEPS}
        settings = {"method": self.method, "rtol": self.rtol, "atol": self.atol, "options": options}

        def velocity(t: Tensor, x: Tensor) -> Tensor:
            return landscape.force(x) / self.tau

        try:
            if self.adjoint:
                return odeint_adjoint(velocity, x, times, adjoint_params=_parameters(landscape), **settings)
            return odeint(velocity, x, times, **settings)
        except AssertionError:  # how torchdiffeq says any of these
            reason = f"after {MOST_STEPS:,} steps, or because its step fell to nothing or x is not finite"
            raise InputError(f"the ODE solver gave up, {reason}; check x or use the guaranteed rule") from None


def _parameters(landscape: Landscape) -> tuple[Tensor, ...]:
    """What gradients flow to beside x."""
    tensors: list[Tensor] = [*landscape.energy.parameters(), *landscape.norm.parameters()]
    if landscape.context is not None and landscape.context.weights is not None:
        tensors.append(landscape.context.weights)
    return tuple(t for t in dict.fromkeys(tensors) if t.requires_grad)


@torch.no_grad()
def _record(landscape: Landscape, states: Tensor, step_size: float, recorder: Recorder) -> None:
    recorder.state(landscape.at(states[0]))
    for before, after in pairwise(states):
        recorder.step(step_size, landscape.present(after - before))
        recorder.state(landscape.at(after))
