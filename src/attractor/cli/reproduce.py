"""``attractor reproduce``: a row of the published tables as one command, ours beside the published figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attractor.cli.output import print_json
from attractor.console import stderr

if TYPE_CHECKING:
    from attractor.reproduce.row import Row


def reproduce(
    name: str | None = typer.Argument(None, help="The row; without one, all of them are listed.", show_default=False),
    data: Path | None = typer.Option(
        None,
        help="Folder of the sets, by default in the user's cache: fetched into it where they can be, else put there "
        "by hand, as the message says that names a missing one.",
    ),
    output: Path = typer.Option(Path("reproduced"), "--output", "-o", help="Folder of results, figures and pages."),
    seeds: list[int] | None = typer.Option(None, help="A seed instead of the row's own; may be repeated."),
    variant: list[str] | None = typer.Option(None, help="Run this variant alone; may be repeated."),
    model: str | None = typer.Option(None, help="Weights instead of the row's: a shipped name, a folder, org/name."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Run what is missing of a row; interrupted, it goes on where it was. Writes JSON, a figure and a page."""
    import pooch

    from attractor.report.rows import render_table, write_row
    from attractor.reproduce.row import find_row
    from attractor.reproduce.run import reproduce as run
    from attractor.reproduce.wish import Wish

    if name is None:
        _list()
        return
    row, wish = find_row(name), Wish(seeds, variant, {"model": model} if model else None)
    _say(wish.upon(row))
    result = run(row, data or Path(pooch.os_cache("attractor")), output, wish)
    stderr.print(f"page: {write_row(result, output)}")
    if as_json:
        print_json(result)
    else:
        print(render_table(result))


def _say(row: Row) -> None:
    stderr.print(f"{row.title}; seeds {', '.join(map(str, row.seeds))}; variants: {', '.join(row.variants)}")
    if row.caution:
        stderr.print(f"caution: {row.caution}")


def _list() -> None:
    """One line a row."""
    from attractor.reproduce.row import find_row, names

    for name in names():
        row: Any = find_row(name)
        print(f"{name:<20}{row.title}")
