"""What commands print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attractor.console import stderr
from attractor.files import json_text

if TYPE_CHECKING:
    from attractor.data.images import UnreadableImage


def print_json(values: Any) -> None:
    """JSON on stdout."""
    print(json_text(values), end="")


def yes(flag: bool) -> str:
    """The word for it, in rows."""
    return "yes" if flag else "no"


def print_explanations(
    explanations: Sequence[Any], table: Callable[[Any], str], pictures: Sequence[Path], as_json: bool
) -> None:
    """Explanations on stdout, each by ``table`` or all as JSON; on stderr where they are drawn."""
    if as_json:
        print_json([asdict(explanation) for explanation in explanations])
    else:
        print("\n\n".join(table(explanation) for explanation in explanations))
    for picture in pictures:
        stderr.print(f"drawn: {picture}")


def report_unreadable(unreadable: Sequence[UnreadableImage]) -> None:
    """Name every file that was left out, on stderr."""
    if unreadable:
        one = len(unreadable) == 1
        stderr.print(
            f"{len(unreadable)} file{'' if one else 's'} could not be used and {'is' if one else 'are'} left out:"
        )
        for error in unreadable:
            stderr.print(f"  {' '.join(error.path.splitlines())}: {error.reason}")


def unreadable_json(unreadable: Sequence[UnreadableImage]) -> list[dict[str, str]]:
    """The same for machines."""
    return [{"path": error.path, "reason": error.reason} for error in unreadable]
