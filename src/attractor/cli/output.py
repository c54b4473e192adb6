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
    """Name every file that was left out, on stderr."""
    if unreadable:
        one = len(unreadable) == 1
        stderr.print(
            f"{len(unreadable)} file{'' if one else 's'} could not be read and {'is' if one else 'are'} left out:"
        )
        for path, reason in unreadable:
            stderr.print(f"  {path}: {reason}")
