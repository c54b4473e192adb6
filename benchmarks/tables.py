"""Write the tables of docs/benchmarks.md and README.md from results/*.json: ``python benchmarks/tables.py``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import detection_tables
import energy_tables
import graph_tables
import headlines
import inpainting_tables
import node_tables
import speed_tables

from attractor.files import write_text

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "benchmarks.md")
BLOCKS: dict[str, Callable[[Path], list[str]]] = {
    "headlines": headlines.tables,
    "detection": detection_tables.tables,
    "inpainting": inpainting_tables.tables,
    "nodes": node_tables.tables,
    "graphs": graph_tables.tables,
    "speed": speed_tables.tables,
    "energy": energy_tables.tables,
}
MARKED = re.compile(r"<!-- (\w+), by tables.py -->\n.*?<!-- end -->", re.DOTALL)


def updated(page: str, results: Path) -> str:
    """A page with what stands between its markers made anew."""

    def block(match: re.Match[str]) -> str:
        name = match[1]
        return "\n\n".join([f"<!-- {name}, by tables.py -->", *BLOCKS[name](results), "<!-- end -->"])

    return MARKED.sub(block, page)


if __name__ == "__main__":
    for path in PAGES:
        write_text(path, updated(path.read_text(encoding="utf-8"), ROOT / "results"))
