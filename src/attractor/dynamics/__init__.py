"""Walking downhill: the descent, its step rules, and the trace that it leaves."""

from attractor.dynamics.descend import Landscape, Rule, descend
from attractor.dynamics.fixed import Fixed
from attractor.dynamics.trace import Trace

__all__ = ["Fixed", "Landscape", "Rule", "Trace", "descend"]
