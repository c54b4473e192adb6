"""Settings that a user gives: what is not of the right kind or size is refused in one line, before any work."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

from attractor.errors import InputError

SEEDS = 2**32  # how many there are


def whole_number(name: str, value: Any, least: int, most: int | None = None) -> int:
    """The value, if it is a whole number from ``least`` to ``most``; else :class:`InputError`."""
    fits = isinstance(value, Integral) and not isinstance(value, bool)
    if not fits or value < least or (most is not None and value > most):
        size = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} is {value!r}; give a whole number {size}")
    return int(value)


def seed(value: Any) -> int:
    """The value, if it can seed every generator; else :class:`InputError`."""
    return whole_number("seed", value, 0, SEEDS - 1)


def above_zero(name: str, value: Any) -> float:
    """The value, if it is a finite number above 0; else :class:`InputError`."""
    if not _is_number(value) or not 0 < value < math.inf:
        raise InputError(f"{name} is {value!r}; give a number above 0")
    return float(value)


def share(name: str, value: Any, most: float = 1.0) -> float:
    """The value, if it is a number above 0 and up to ``most``; else :class:`InputError`."""
    if not _is_number(value) or not 0 < value <= most:
        raise InputError(f"{name} is {value!r}; give a share above 0 and up to {most:g}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """The value, if it is True or False; else :class:`InputError`."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} is {value!r}; give True or False")
    return bool(value)


def one_of(name: str, value: Any, choices: Iterable[str]) -> str:
    """The value, if it is one of the choices; else :class:`InputError`."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name} is {value!r}; choose one of {', '.join(known)}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
