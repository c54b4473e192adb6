"""The tables of docs/benchmarks.md about speed, from results/bench-*.json and results/precision.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cells import table

from attractor.bench.cases import CASES, PEERS
from attractor.bench.plot import best_published
from attractor.files import read_json

OURS = {"float32": "ours, float32", "bfloat16": "ours, bfloat16"}
TASKS = {
    "combined": "AUROC of odd brain slices, combined",
    "knn": "the same, nearest neighbours",
    "mahalanobis": "the same, Mahalanobis",
    "classification": "accuracy on MUTAG, five folds",
    "random": "PSNR of half of the patches, dB",
    "block": "PSNR of a central block, dB",
}


def tables(results: Path) -> list[str]:
    """Every table there is a file for."""
    measured = {
        "with AVX-512 and bfloat16 products": ("", results),
        "with AVX2 alone": ("avx2/", results / "avx2"),
    }
    others = {"bench-growth": growth, "precision": precision}
    made = [table(read_json(file)) for name, table in others.items() if (file := results / f"{name}.json").exists()]
    tables = [speed(found, words, path) for words, (path, folder) in measured.items() if (found := _reports(folder))]
    return [*tables, *made]


def _reports(results: Path) -> list[dict[str, Any]]:
    return [read_json(file) for name in CASES if (file := results / f"bench-{name}.json").exists()]


def speed(reports: list[dict[str, Any]], processor: str, path: str) -> str:
    """A row a pass and side, and the picture that lies in ``path`` beside the others."""
    threads = reports[0]["hardware"]["threads"]
    lines = [
        f"**Speed {processor}.** Ours and the published codes in turns, {threads} CPU threads, sizes the same; of the "
        "ratios, taken within a turn, the median and the range. The floor is the time of the matrix products alone, at "
        "the rate that large ones reach in the same run. Made by `attractor bench`.",
        "",
    ]
    rows = []
    for report in reports:
        for name, work in report["passes"].items():
            best = best_published(work["sides"])
            for side, row in work["sides"].items():
                what = f"{report['title']}: {name}" if side == "float32" else ""
                words = OURS.get(side) or f"[{side}](https://{PEERS[side]}), float32"
                ratio = row["times_faster"][best] if side in OURS and best else None
                faster = f"{ratio['median']:.1f} ({ratio['low']:.1f} to {ratio['high']:.1f})" if ratio else ""
                floor = f"{100 * row['of_floor']:.0f} %" if side in OURS else ""
                rows.append((what, words, f"{row['ms']:,.0f}", faster, floor, f"{row['peak_mb']:,.0f}"))
    columns = ("", "", "ms", "times as fast as the fastest published code", "of the floor", "peak memory, MB")
    picture = f"![How many times faster, {processor}](../results/{path}bench.png)"
    return "\n".join([*lines, *table(columns, rows), "", picture])


def growth(report: dict[str, Any]) -> str:
    """How memory grows with the tokens, and the picture of the rest."""
    rows = [row for row in report["series"]["tokens"]["rows"] if row["precision"] == "float32"]
    lines = [
        "**Growth.** One image of N tokens of width 128, four steps, float32 (`attractor bench growth`): time "
        "grows with the square of N, memory with N.",
        "",
    ]
    cells = [
        (f"{name}, {unit}", *(f"{row[key]:,.0f}" for row in rows if row["pass"] == name))
        for name, key, unit in [("forward", "ms", "ms"), ("train", "ms", "ms"), ("train", "peak_mb", "MB")]
    ]
    sizes = [f"{row['tokens']:,}" for row in rows if row["pass"] == "forward"]
    return "\n".join(
        [*lines, *table(("tokens", *sizes), cells), "", "![Time and memory against size](../results/bench-growth.png)"]
    )


def precision(found: dict[str, Any]) -> str:
    """What bfloat16 changes, beside what a seed changes."""
    rows = {**found["detection"], "classification": found["classification"], **found["inpainting"]}
    lines = [
        "**What bfloat16 costs.** The same task in both precisions; the difference is the mean over the seeds, beside "
        "it the standard deviation of float32 over them (`benchmarks/precision.py`).",
        "",
    ]
    cells = []
    for name, words in TASKS.items():
        row = rows[name]
        means = [sum(row[p]) / len(row[p]) for p in ("float32", "bfloat16")]
        figures = [*(f"{mean:.4f}" for mean in means), f"{row['difference']:+.4f}", f"{row['spread_over_seeds']:.4f}"]
        cells.append((words, *figures))
    return "\n".join([*lines, *table(("", "float32", "bfloat16", "difference", "spread over seeds"), cells)])
