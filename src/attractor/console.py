"""What a person sees while work goes on: a progress bar on stderr, silent where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
stderr = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def progress(items: Iterable[T], label: str, total: int, size: Callable[[T], int] = lambda item: 1) -> Iterator[T]:
    """Yield ``items`` behind a bar that disappears when done; ``size`` says how much of ``total`` an item is."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task, size(item))
