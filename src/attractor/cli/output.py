"""What commands print."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from attractor.console import stderr


def print_json(values: Any) -> None:
    """JSON on stdout; what JSON cannot say (infinite, not a number) is null."""
    print(json.dumps(_finite(values), indent=2, allow_nan=False))


def _finite(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def report_unreadable(unreadable: Sequence[tuple[str, str]]) -> None:
    """Name every file that went to no score, on stderr."""
    if unreadable:
        stderr.print(f"{len(unreadable)} file{'s' * (len(unreadable) != 1)} could not be read and went to no score:")
        for path, reason in unreadable:
            stderr.print(f"  {path}: {reason}")
