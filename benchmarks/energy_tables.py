"""Whether the energy falls, and the memory of training, for docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path

from cells import table

from attractor.files import read_json


def tables(results: Path) -> list[str]:
    """Both."""
    return [descent(results), memory(results)]


def descent(results: Path) -> str:
    """How often the plain and the guaranteed rule let the energy rise."""
    rises = read_json(results / "descent-rises.json")["rises"]
    lines = [
        "**Does the energy fall?** Random blocks, tokens, scales and step sizes; the same draws under both rules "
        "(`benchmarks/descent.py`). Share of descents in which the energy of the sample rose at least once:",
        "",
    ]
    rows = []
    for precision, rules in rises.items():
        decades = rules["fixed"]["by_step_size"].values()
        worst = max(decade["blocks_rising"] for decade in decades)
        shares = (rules["fixed"]["blocks_rising"], worst, rules["guaranteed"]["blocks_rising"])
        cells = [f"{100 * share:.2g} %" for share in shares]
        rows.append((precision, f"{rules['fixed']['blocks']:,}", *cells))
    columns = ("precision", "descents", "fixed step, as published", "its worst decade of step sizes", "guaranteed")
    return "\n".join([*lines, *table(columns, rows)])


def memory(results: Path) -> str:
    """What a training step takes, ours and the published code's."""
    found = read_json(results / "attention-memory.json")
    sizes, ours, theirs = found["sizes"], found["ours"], found["published"]
    extrapolated = ", extrapolated from 1, 2 and 3 steps, as it does not fit the machine" * theirs["extrapolated"]
    return (
        f"**Memory of a training step.** {sizes['tokens']:,} tokens of width {sizes['dim']}, {sizes['steps']} steps, "
        f"float32, one CPU thread: {ours['peak_mb'] / 1000:.2f} GB and {ours['cpu_seconds']:.0f} s, against "
        f"{theirs['peak_mb'] / 1000:.1f} GB and {theirs['cpu_seconds']:.0f} s through the published PyTorch code"
        f"{extrapolated} (`benchmarks/attention_memory.py`)."
    )
