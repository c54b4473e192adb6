"""One folder that holds an evaluation: the page, its figures as PNG and PDF, every score, and the metrics."""

from __future__ import annotations

from pathlib import Path

from attractor.files import csv_text, write_json, write_text
from attractor.report.distributions import score_distributions
from attractor.report.page import render_page
from attractor.report.pictures import heat_maps, reconstructions
from attractor.report.separation import auroc_bars, roc_curves
from attractor.report.style import save_figure
from attractor.tasks.detection.evaluation import Evaluation

FIGURES = {
    "auroc": auroc_bars,
    "roc": roc_curves,
    "scores": score_distributions,
    "reconstructions": reconstructions,
    "heat_maps": heat_maps,
}


def write_report(evaluation: Evaluation, folder: str | Path) -> Path:
    """Write ``index.html``, figures as PNG and PDF, ``scores.csv``, ``metrics.json``; return the page's path.

    The page holds its figures and style itself, so that the one file can be sent on. Figures of what the
    evaluation does not have (reconstructions, heat maps) are left out.
    """
    folder = Path(folder)
    drawn = {name: draw(evaluation) for name, draw in FIGURES.items()}
    images = {name: save_figure(figure, folder, name) for name, figure in drawn.items() if figure is not None}
    _write_scores(evaluation, folder / "scores.csv")
    write_json(folder / "metrics.json", evaluation.summary())
    return write_text(folder / "index.html", render_page(evaluation, images))


def _write_scores(evaluation: Evaluation, path: Path) -> None:
    chosen = evaluation.scores[evaluation.method]
    header = ["path", "label", "category", "score", "p_value", "anomalous", *evaluation.scores]
    columns = [
        evaluation.labels.tolist(),
        evaluation.categories,
        chosen.tolist(),
        evaluation.p_values.tolist(),
        evaluation.flagged.astype(int).tolist(),
        *(scores.tolist() for scores in evaluation.scores.values()),
    ]
    write_text(path, csv_text(header, zip(evaluation.paths, *columns, strict=True)))
