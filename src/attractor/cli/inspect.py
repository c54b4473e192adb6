"""``attractor inspect``: what a saved model or detector is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from attractor.cli.output import print_json


def inspect(
    model_dir: Path = typer.Argument(
        help="Folder of a detector, an in-painter or a model, or a shipped name.", show_default=False
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show configuration, sizes, calibration, and what is in every head and memory."""
    from attractor.tasks.inspection import describe

    description = describe(model_dir)
    if as_json:
        print_json(description)
    else:
        _print_section(description, 0)


def _print_section(values: dict[str, Any], depth: int) -> None:
    for name, value in values.items():
        pad = "  " * depth
        if isinstance(value, dict):
            print(f"{pad}{name}:")
            _print_section(value, depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{pad}{name}:")
            _print_table(value, "  " * (depth + 1))
        else:
            number = isinstance(value, int) and not isinstance(value, bool)
            print(f"{pad}{name}: {value:,}" if number else f"{pad}{name}: {value}")


def _print_table(rows: list[dict[str, Any]], pad: str) -> None:
    cells = [[_cell(value) for value in row.values()] for row in rows]
    header = list(rows[0])
    widths = [max(len(row[i]) for row in [header, *cells]) for i in range(len(header))]
    for row in [header, *cells]:
        print(pad + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
