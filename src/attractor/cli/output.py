"""What commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attractor.console import stderr
from attractor.files import json_text


def print_json(values: Any) -> None:
    """JSON on stdout."""
    print(json_text(values), end="")


def report_unreadable(unreadable: Sequence[tuple[str, str]]) -> None:
    """Name every file that went to no score, on stderr."""
    if unreadable:
        stderr.print(f"{len(unreadable)} file{'s' * (len(unreadable) != 1)} could not be read and went to no score:")
        for path, reason in unreadable:
            stderr.print(f"  {path}: {reason}")
