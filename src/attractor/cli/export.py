"""``attractor export``: a detector or an in-painter as an ONNX file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from attractor.cli.output import print_json


def export(
    folder: str = typer.Argument(help="Folder of a detector or an in-painter, or its name.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="The ONNX file to write.", show_default=False),
    method: str | None = typer.Option(
        None, help="Score that it decides by, a detector's own unless given.", show_default=False
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Write a detector of images or an in-painter as one ONNX file, to be run without this library."""
    from attractor.tasks.exporting import export_onnx

    exported = export_onnx(folder, output, method=method)
    if as_json:
        print_json(asdict(exported))
        return
    print(f"{exported.path}, {exported.path.stat().st_size:,} bytes")
    for name, value in exported.inputs.items():
        print(f"takes {name}: {value}")
    print(f"gives {', '.join(exported.outputs)}")
    for name, value in exported.notes.items():
        print(f"{name}: {value}")
    print(f"ONNX Runtime's numbers are torch's to {exported.difference:.0e}")
