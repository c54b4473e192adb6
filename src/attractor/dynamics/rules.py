"""The step rules by name."""

from __future__ import annotations

from collections.abc import Callable

from attractor.dynamics.descend import Rule
from attractor.dynamics.fixed import Fixed

RULES: dict[str, Callable[[], Rule]] = {"fixed": Fixed}
