"""A share as a person reads it, the same everywhere."""

from __future__ import annotations


def percent(value: float) -> str:
    """Return a share in percent: with one decimal place where it tells something, below 1 % with two digits."""
    small = 1e-6 <= abs(value) < 0.01
    return (f"{100 * value:.2g}" if small else f"{100 * value:.1f}".removesuffix(".0")) + " %"
