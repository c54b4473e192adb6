"""What a person sees while work goes on: a progress bar on stderr; where there is no terminal, a line a minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
QUIET = 60.0  # seconds between the lines of a log
stderr = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def progress(items: Iterable[T], label: str, total: int, size: Callable[[T], int] = lambda item: 1) -> Iterator[T]:
    """Yield ``items`` behind a bar that disappears when done; ``size`` says how much of ``total`` an item is."""
    if not stderr.is_terminal:
        yield from _logged(items, label, total, size)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task, size(item))


def _logged(items: Iterable[T], label: str, total: int, size: Callable[[T], int]) -> Iterator[T]:
    done, said = 0, time.monotonic()
    for item in items:
        yield item
        done += size(item)
        if time.monotonic() - said > QUIET:
            stderr.print(f"{label}: {done:,} of {total:,}")
            said = time.monotonic()
