"""``attractor bench``: time and memory, beside published codes where their checkouts are given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from attractor.cli.output import print_json
from attractor.console import stderr
from attractor.errors import InputError

GROWTH = "growth"


def bench(
    cases: list[str] = typer.Argument(None, help="Cases, or growth; by default all of them.", show_default=False),
    peer: list[str] = typer.Option([], help="NAME=PATH: the checkout of a published code.", show_default=False),
    python: list[str] = typer.Option([], help="NAME=PYTHON: its interpreter, by default this one.", show_default=False),
    turns: int = typer.Option(5, min=1, help="Turns that every side takes."),
    threads: int = typer.Option(2, min=1, help="Cores for every side."),
    device: str = typer.Option("cpu", help="cpu or cuda."),
    output: Path = typer.Option(Path("results"), "--output", "-o", help="Folder of bench-CASE.json and bench.png."),
    seed: int = typer.Option(0, help="Of the random inputs."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Measure ours and published codes in turns, at the same sizes and on the same cores."""
    from attractor.bench.cases import CASES, PEERS
    from attractor.bench.growth import measure_growth
    from attractor.bench.plot import plot_growth, plot_ratios
    from attractor.bench.run import measure, on_threads
    from attractor.files import read_json, write_json
    from attractor.provenance import provenance

    names = cases or [*CASES, GROWTH]
    if unknown := [name for name in names if name not in CASES and name != GROWTH]:
        raise InputError(f"no case is called {unknown[0]!r}; choose from {', '.join([*CASES, GROWTH])}")
    if device not in ("cpu", "cuda"):
        raise InputError(f"device must be cpu or cuda, not {device!r}")
    clones = _pairs("--peer", peer, PEERS)
    pythons = _pairs("--python", python, PEERS)
    for name, path in [*clones.items(), *pythons.items()]:
        if not Path(path).exists():
            raise InputError(f"{name}: {path} is not there; give the path of a checkout, or of an interpreter")
    peers = {name: (Path(path).resolve(), pythons.get(name, sys.executable)) for name, path in clones.items()}
    on_threads(threads)
    output.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {"turns": turns, "seed": seed, "device": device, "say": stderr.print}
    found: dict[str, Any] = {}
    for name in names:
        report = measure_growth(**settings) if name == GROWTH else measure(CASES[name], peers, **settings)
        report = {"name": name, "command": _command(), **report, **provenance()}
        report["hardware"]["threads"] = threads
        write_json(output / f"bench-{name}.json", report)
        found[name] = report
        if name == GROWTH:
            plot_growth(report, output)
    measured = {name: output / f"bench-{name}.json" for name in CASES}
    plot_ratios({name: read_json(file) for name, file in measured.items() if file.exists()}, output)
    print_json(found) if as_json else _print(found)


def _pairs(option: str, given: list[str], known: dict[str, str]) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in given)
    for name, value in pairs.items():
        if name not in known or not value:
            codes = ", ".join(f"{name} ({address})" for name, address in known.items())
            raise InputError(f"{option} takes NAME=PATH of a published code, not {name!r}; known: {codes}")
    return pairs


def _command() -> str:
    """What measures this again; paths are those of another machine."""
    words = [word.partition("=")[0] + "=..." if "=" in word else word for word in sys.argv[1:]]
    return " ".join(["attractor", *words])


def _print(found: dict[str, Any]) -> None:
    for report in found.values():
        print(report["title"])
        for name, work in report.get("passes", {}).items():
            for side, row in work["sides"].items():
                faster = [f"{r['median']:.2f} times faster than {p}" for p, r in row.get("times_faster", {}).items()]
                print(f"  {name:12}{side:10}{row['ms']:10.1f} ms {row['peak_mb']:9.0f} MB  {', '.join(faster)}")
        for series, grown in report.get("series", {}).items():
            for row in grown["rows"]:
                size = f"{series} {row[series]}"
                print(f"  {size:14}{row['pass']:9}{row['precision']:10}{row['ms']:10.1f} ms {row['peak_mb']:9.0f} MB")
