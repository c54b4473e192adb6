"""Walking downhill: the descent, its step rules, and the trace that it leaves."""

from attractor.dynamics.descend import descend, descend_blocks
from attractor.dynamics.equilibrium import Equilibrium
from attractor.dynamics.fixed import Fixed
from attractor.dynamics.guaranteed import Guaranteed
from attractor.dynamics.landscape import Landscape, State
from attractor.dynamics.ode import ODE
from attractor.dynamics.rules import Rule
from attractor.dynamics.trace import Recorder, Trace, energy_parts

__all__ = [
    "ODE",
    "Equilibrium",
    "Fixed",
    "Guaranteed",
    "Landscape",
    "Recorder",
    "Rule",
    "State",
    "Trace",
    "descend",
    "descend_blocks",
    "energy_parts",
]
