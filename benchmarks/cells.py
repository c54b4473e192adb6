"""Pieces of Markdown that the pages made from results/ share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a table."""
    columns = tuple(columns)
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]


def spread(value: dict[str, float], several: bool = True) -> str:
    """``mean ± deviation``; the mean alone of what has no spread."""
    return f"{value['mean']:.3f}" + (f" ± {value['std']:.3f}" if several else "")


def threads(found: dict[str, Any]) -> str:
    """What a result was computed on."""
    count = found["hardware"]["threads"]
    return f"{count} CPU thread{'s' * (count > 1)}"
