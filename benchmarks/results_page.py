"""Write docs/results.md, every row beside what was published of it: ``python benchmarks/results_page.py``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cells import table
from detection_tables import STAGES
from row_results import Found, found

from attractor.files import read_json, write_text
from attractor.report.rows import Line, lines
from attractor.reproduce.detection import BASELINE
from attractor.reproduce.graphs import FOLDS
from attractor.reproduce.row import Row, find_row, names
from attractor.tasks.graphs.evaluate import HELD_OUT

ROOT = Path(__file__).parents[1]
HEAD = """# Results, row by row

Every row that `attractor reproduce` knows, ours beside the published figure. Ours comes from the file that its line
names, and from nothing else: it is blank where the row has not been run or its data could not be had. ± is a standard
deviation: of ours over the seeds or, of one seed, over its parts (classes in turn, folds). Written by
`python benchmarks/results_page.py`."""
GROUPS = {
    "detection, published": "Images, published sets: AUROC",
    "detection": "Images, sets that stand in for the published: AUROC",
    "nodes": "Odd nodes",
    "graphs": "Classes of whole graphs",
    "inpainting": "In-painting: PSNR in dB on hidden pixels",
    "pretraining": "Pretraining",
}
COLUMNS = ("row", "variant", "measure", "ours", "published", "file")


def page(results: Path) -> str:
    """All groups, each with its cautions, sources and commands."""
    rows = [find_row(name) for name in names()]
    parts = [section(title, [row for row in rows if group(row) == kind], results) for kind, title in GROUPS.items()]
    return "\n\n".join([HEAD, *parts, shipped(results)]) + "\n"


def group(row: Row) -> str:
    """Which of ``GROUPS`` a row is in."""
    return f"{row.kind}, published" if row.kind == "detection" and row.published else row.kind


def section(title: str, rows: list[Row], results: Path) -> str:
    """One table, and what must be known to read it and to make it again."""
    known = {(row.name, variant): found(row, variant, results) for row in rows for variant in row.variants}
    cells = [cell for row in rows for cell in row_lines(row, {v: known[row.name, v] for v in row.variants})]
    notes = [
        *gathered("Caution", [(row.name, row.caution) for row in rows]),
        *gathered("Published figures", [(row.name, row.source) for row in rows if row.published]),
        *gathered("Measured by", [(name, of.command and f"`{of.command}`") for (name, _), of in known.items()]),
        "- To run a row, or what is missing of it: `attractor reproduce ROW --data DIR`",
    ]
    return "\n".join([f"## {title}", "", *table(COLUMNS, cells), "", *notes])


def row_lines(row: Row, known: dict[str, Found]) -> Iterator[tuple[str, ...]]:
    """A line a measure, the row named on the first; a variant of which nothing is known has one too."""
    published = {v: {m: f.model_dump(exclude_none=True) for m, f in of.items()} for v, of in row.published.items()}
    summary = {variant: of.figures for variant, of in known.items()}
    all_lines = list(lines({"main": row.main, "variants": known, "summary": summary, "published": published}))
    name = f"`{row.name}`: {row.title}"
    for variant, of in known.items():
        mine = [line for line in all_lines if line.variant == variant and is_shown(row, line)]
        for line in mine or [Line(variant, row.main, "", "")]:
            file = f"[{of.file}](../results/{of.file})" if line.ours else ""
            yield name, variant, line.measure, line.ours + folds(row, line, of), line.published, file
            name = ""


def is_shown(row: Row, line: Line) -> bool:
    """All but the scores of a detector beside its main one, which would hide it."""
    return row.kind != "detection" or line.measure in (row.main, BASELINE) or bool(line.published)


def folds(row: Row, line: Line, known: Found) -> str:
    """How much of a cross-validation was done."""
    if not line.ours or row.of(line.variant).get("protocol") != HELD_OUT:
        return ""
    return f"; {known.figures[line.measure]['parts']} of {FOLDS} folds"


def shipped(results: Path) -> str:
    """Not a row: the runs that made the encoder of the package."""
    runs = {path: read_json(path) for name in STAGES if (path := results / f"pretrain-{name}.json").exists()}
    cells = [
        (
            f"`{path.stem.removeprefix('pretrain-')}`",
            *(f"{run[name]:.3f}" for name in ("val_accuracy", "val_reconstruction")),
            f"[{path.name}](../results/{path.name})",
        )
        for path, run in runs.items()
    ]
    words = (
        "Not a row: the encoder that ships, much smaller than the published, by recipes of its own on Tiny ImageNet."
    )
    return "\n".join([words, "", *table(("recipe", "val_accuracy", "val_reconstruction", "file"), cells)])


def gathered(word: str, texts: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """A point of a list for every text, with the rows it is of."""
    rows: dict[str, dict[str, None]] = {}
    for name, text in texts:
        if text:
            rows.setdefault(text, {})[f"`{name}`"] = None
    for text, of in rows.items():
        yield f"- {word} ({', '.join(of)}): {text}"


if __name__ == "__main__":
    write_text(ROOT / "docs" / "results.md", page(ROOT / "results"))
