"""Write the results tables of README.md from results/*.json: ``python benchmarks/tables.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import detection_tables
import graph_tables
import speed_tables

from attractor.files import read_json, write_text

ROOT = Path(__file__).parents[1]
START, END = "<!-- results -->", "<!-- end of results -->"
NODES = {
    "amazon-upu": "Fraud among Amazon's reviewers, one relation of three",
    "tolokers": "Banned crowd workers (Tolokers)",
}
RIVALS = {
    "attractor": "**attractor**",
    "forest": "random forest on the features",
    "forest-neighbours": "random forest, also on neighbours' mean and degree",
    "gcn": "GCN",
    "sage": "GraphSAGE",
    "bwgnn": "BWGNN",
}


def block(results: Path) -> str:
    """The text between the markers."""
    stages = [read_json(results / f"pretrain-{name}.json") for name in ("selyne-tiny", "selyne-tiny-longer")]
    parts = [
        "## Results",
        f"Encoder: `selyne-tiny`, pretrained on {stages[-1]['train_images']:,} images of Tiny ImageNet for "
        f"{sum(stage['hours'] for stage in stages):.1f} hours on one or two CPU cores, in two runs (recipes "
        f"`selyne-tiny` and `selyne-tiny-longer`; accuracy on its validation images "
        f"{100 * stages[-1]['val_accuracy']:.1f} %). AUROC, mean ± standard deviation over the seeds, of every score: "
        "also where the published one (`mahalanobis` after one-class tuning) loses. Made by `attractor reproduce`; the "
        "files are in `results/`, every row is in [docs/results.md](docs/results.md).",
        *detection_tables.tables(results),
        detection_parts(results),
    ]
    parts += [painting(results), *(nodes(read_json(results / f"nodes-{name}.json")) for name in NODES)]
    parts += [scale(results), *graph_tables.tables(results), *speed_tables.tables(results)]
    parts += [edges(results), descent(results), memory(results)]
    return "\n\n".join(parts)


def detection_parts(results: Path) -> str:
    """What helped detection without tuning, and what did not."""
    found = read_json(results / "detection-parts.json")
    sets = found["sets"]
    seeds = max(len(values["seeds"]) for values in sets.values())
    lines = [
        f"**What helps detection without tuning.** AUROC, mean ± standard deviation of {seeds} draws of the images "
        "fitted on (`benchmarks/detection_parts.py`). What was kept was chosen by other images, though "
        "test figures were seen between the rounds (`benchmarks/LOG.md`, where what failed is too).",
        "",
        "| score | " + " | ".join(sets) + " |",
        "|---|" + "---|" * len(sets),
    ]
    for name, words in found["words"].items():
        cells = [cell(values["summary"][name], len(values["seeds"])) for values in sets.values()]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def painting(results: Path) -> str:
    """In-painting: what was hidden, ours on all images, and all methods on the same first ones."""
    found = read_json(results / "inpaint-tiny-imagenet.json")
    stages = [read_json(results / f"train-{name}.json") for name in ("et-tiny-coarse", "et-tiny")]
    hours = sum(stage["hours"] for stage in stages)
    lines = [
        f"**In-painting Tiny ImageNet's validation images.** `et-tiny` ({found['parameters']:,} parameters), "
        f"trained for {hours:.1f} hours on one CPU core on {stages[1]['train_images']:,} images "
        "(recipe `et-tiny-coarse`, then recipe `et-tiny`). Mean over the images ± its standard error; the "
        "last column is how far ours is ahead, image by image. Made by `benchmarks/inpainting.py`.",
        "",
        "| hidden | method | images | PSNR, dB | mean squared error | ours ahead by, dB |",
        "|---|---|---|---|---|---|",
    ]
    for name, mask in found["masks"].items():
        hidden = f"{mask['hidden']:.0%}, " + {"random": "random patches", "block": "one central block"}[name]
        for group in ("all", "compared"):
            for method, m in mask[group].items():
                gain = spread(m["gain"], 2) if "gain" in m else ""
                row = (hidden, method, f"{m['images']:,}", spread(m["psnr"], 2), spread(m["mse"], 4), gain)
                lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def nodes(found: dict[str, Any]) -> str:
    """Node anomaly detection: a row a method, at each share of training nodes AUC, average precision, macro-F1."""
    fractions = list(found["summary"])
    seeds = max(len(row["seeds"]) for rows in found["summary"].values() for row in rows.values())
    columns = [f"{name}, {float(f):.0%}" for f in fractions for name in ("AUC", "AP", "macro-F1")]
    lines = [
        f"**{NODES[found['name']]}.** By the published protocol, training on 1 % and 40 % of the labelled nodes: mean "
        f"± standard deviation of {seeds} splits, all test nodes (`benchmarks/nodes.py`). Every method takes settings, "
        "epoch and threshold from the same validation nodes.",
        "",
        "| method | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for method, words in RIVALS.items():
        rows = [found["summary"][f][method] for f in fractions]
        cells = [cell(row[name], len(row["seeds"])) for row in rows for name in ("auc", "ap", "macro_f1")]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def scale(results: Path) -> str:
    """Time and memory of node anomaly detection against edges."""
    found = read_json(results / "nodes-scale.json")
    lines = [
        "**A graph of any size.** Generated graphs with power-law degrees, the last of T-Social's size: making it, one "
        "epoch of training on samples around 1 % of the nodes, with what validates and calibrates it, and exact "
        f"scores of all nodes, on {threads(found)} (`benchmarks/nodes_scale.py`).",
        "",
        "| nodes | edges | largest degree | graph, s | fit, s | score, s | peak memory, GiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["sizes"]:
        seconds = [f"{row['seconds'][name]:.1f}" for name in ("graph", "fit", "score")]
        numbers = [f"{row[name]:,}" for name in ("nodes", "edges", "largest_degree")]
        lines.append("| " + " | ".join([*numbers, *seconds, f"{row['peak_gib']:.1f}"]) + " |")
    memory, time = found["slopes"]["peak_gib"], found["slopes"]["score_seconds"]
    lines += [
        "",
        f"In a straight line: {1e6 * time['per_edge']:.2f} s of scoring and {1024 * 1e6 * memory['per_edge']:.0f} MiB "
        f"for every million edges (r² {time['r_squared']:.3f} and {memory['r_squared']:.3f}).",
    ]
    return "\n".join(lines)


def edges(results: Path) -> str:
    """Attention along edges by three ways, in turns."""
    found = read_json(results / "edges.json")
    ways = {"threads": "compiled loops (ours)", "sparse": "torch's sparse products", "gather": "gather and scatter"}
    lines = [
        f"**Attention along edges.** One alignment of {found['heads']} heads of width {found['width']} on "
        f"{found['graph']} ({found['nodes']:,} nodes, {found['edges']:,} directed edges), float32, "
        f"{threads(found)}, in turns; ratios within a turn, median and range "
        "(`benchmarks/edges.py`). Torch's own backward of sparse products sorts the edges anew each time.",
        "",
        "| way | forward | as many times ours | forward and backward | as many times ours | its peak memory |",
        "|---|---|---|---|---|---|",
    ]
    for way, words in ways.items():
        cells = []
        for pass_ in ("forward", "forward_backward"):
            row = found[pass_][way]
            ratio = row["times_threads"]
            cells += [f"{row['ms']:.0f} ms", f"{ratio['median']:.1f} ({ratio['low']:.1f} to {ratio['high']:.1f})"]
        lines.append("| " + " | ".join([words, *cells, f"{row['peak_mb']:,.0f} MB"]) + " |")
    return "\n".join(lines)


def descent(results: Path) -> str:
    """How often the plain and the guaranteed rule let the energy rise, and what a training step takes in memory."""
    rises = read_json(results / "descent-rises.json")["rises"]
    lines = [
        "**Does the energy fall?** Random blocks, tokens, scales and step sizes; the same draws under both rules "
        "(`benchmarks/descent.py`). Share of descents in which the energy of the sample rose at least once:",
        "",
        "| precision | descents | fixed step, as published | its worst decade of step sizes | guaranteed |",
        "|---|---|---|---|---|",
    ]
    for precision, rules in rises.items():
        decades = rules["fixed"]["by_step_size"].values()
        worst = max(decade["blocks_rising"] for decade in decades)
        shares = (rules["fixed"]["blocks_rising"], worst, rules["guaranteed"]["blocks_rising"])
        cells = [f"{100 * share:.2g} %" for share in shares]
        lines.append(f"| {precision} | {rules['fixed']['blocks']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


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


def threads(found: dict[str, Any]) -> str:
    """What a result was computed on."""
    count = found["hardware"]["threads"]
    return f"{count} CPU thread{'s' * (count > 1)}"


def spread(value: dict[str, float], digits: int) -> str:
    """``mean ± standard error``."""
    return f"{value['mean']:.{digits}f} ± {value['standard_error']:.{digits}f}"


def cell(value: dict[str, float] | None, seeds: int) -> str:
    """``mean ± deviation``, or nothing."""
    if value is None:
        return ""
    return f"{value['mean']:.3f}" + (f" ± {value['std']:.3f}" if seeds > 1 else "")


def updated(readme: str, results: Path) -> str:
    """README with the block between its markers made anew."""
    before, rest = readme.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{block(results)}\n{END}{after}"


if __name__ == "__main__":
    page = ROOT / "README.md"
    write_text(page, updated(page.read_text(encoding="utf-8"), ROOT / "results"))
