"""One HTML page that needs no other file: style and pictures are inside, and foreign text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from scipy.stats import binomtest

from attractor import __version__
from attractor.percent import percent
from attractor.report.captions import CAPTIONS, Caption
from attractor.report.gallery import data_uri, galleries
from attractor.tasks.detection.evaluation import Evaluation


def render_page(evaluation: Evaluation, images: Mapping[str, Path]) -> str:
    """Return the page; ``images`` maps the name of each figure to its PNG."""
    room = files("attractor.report")
    body = Template(room.joinpath("page.html").read_text("utf-8")).substitute(
        methods=_methods(evaluation),
        figures=figures(images, CAPTIONS),
        galleries=galleries(evaluation),
        unreadable=facts("Unreadable files", f"{len(evaluation.unreadable)}, without a score", evaluation.unreadable),
        provenance=facts("Provenance", "how these numbers came about", flat(evaluation.provenance)),
        version=__version__,
    )
    about = f"Score in use: {evaluation.detector}." if evaluation.detector else ""
    return document(
        evaluation.title, verdict(evaluation), _key_numbers(evaluation), body, about=about, notes=evaluation.notes
    )


def document(
    title: str,
    verdict: str,
    numbers: Iterable[tuple[str, str, str]],
    body: str,
    style: str = "",
    about: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Return a whole page: what it is ``about``, verdict, ``notes`` on that and key numbers above ``body``.

    ``style`` goes beyond the shared one.
    """
    room = files("attractor.report")
    return Template(room.joinpath("frame.html").read_text("utf-8")).substitute(
        title=escape(title),
        style=room.joinpath("page.css").read_text("utf-8") + style,
        about=f'<p class="about">{escape(about)}</p>\n' if about else "",
        verdict=escape(verdict),
        notes=_notes(notes),
        numbers="\n".join(number(*fact) for fact in numbers),
        body=body,
    )


def verdict(evaluation: Evaluation) -> str:
    """Return in one sentence how many normal images were flagged and how many anomalous ones found."""
    (alarms, normal), (found, anomalous) = decisions(evaluation)
    sentence = (
        f"Of {normal} normal images {alarms} {'was' if alarms == 1 else 'were'} flagged "
        f"({percent(alarms / normal)}; {evaluation.calibrated_to}); "
        f"of {anomalous} anomalous ones {found} {'was' if found == 1 else 'were'} found "
        f"({percent(found / anomalous)})."
    )
    unreadable = len(evaluation.unreadable)
    return sentence + (f" Unreadable files, left out: {unreadable}." if unreadable else "")


def decisions(evaluation: Evaluation) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return how many images of each class were flagged, and how many there are: normal first."""
    flagged, normal, anomalous = evaluation.flagged, evaluation.labels == 0, evaluation.labels == 1
    return (int(flagged[normal].sum()), int(normal.sum())), (
        int(flagged[anomalous].sum()),
        int(anomalous.sum()),
    )


def _key_numbers(evaluation: Evaluation) -> Iterable[tuple[str, str, str]]:
    metrics, (alarms, found) = evaluation.metrics[evaluation.method], decisions(evaluation)
    low, high = metrics["auroc_interval"]
    yield "AUROC", f"{metrics['auroc']:.3f}", f"95 % interval {low:.3f} to {high:.3f}"
    yield "Anomalies found (recall)", percent(found[0] / found[1]), _interval(*found)
    yield "False alarms", percent(alarms[0] / alarms[1]), f"{_interval(*alarms)}; {evaluation.calibrated_to}"
    yield "Average precision", f"{metrics['ap']:.3f}", "of the ranking by score"
    if "f1" in metrics:
        yield "F1", f"{metrics['f1']:.3f}", f"at the threshold; precision {percent(metrics['precision'])}"
    pixel = evaluation.pixel_metrics or {}
    for key, name, hint in (
        ("pixel_auroc", "Pixel AUROC", "heat map against outlines"),
        ("aupro", "AUPRO", "mean overlap with each defect"),
    ):
        if key in pixel:
            yield name, f"{pixel[key]:.3f}", hint


def _interval(count: int, total: int) -> str:
    interval = binomtest(count, total).proportion_ci(method="wilson")
    return f"95 % interval {percent(interval.low)} to {percent(interval.high)}"


def number(name: str, value: str, hint: str) -> str:
    """Return one of the large numbers at the top of a page."""
    return f'<div class="number"><span>{name}</span><b>{value}</b><span>{hint}</span></div>'


def _methods(evaluation: Evaluation) -> str:
    columns = ("AP", "F1", "precision", "recall", "false alarms", "oracle F1")
    keys = ("ap", "f1", "precision", "recall", "false_alarm_rate", "oracle_f1")
    head = "".join(f"<th>{name}</th>" for name in ("method", "AUROC", *columns))
    rows = []
    for name, metrics in evaluation.ranked:
        low, high = metrics["auroc_interval"]
        chosen = name == evaluation.method
        cells = [f"{escape(name)}{' (in use)' if chosen else ''}"]
        cells.append(f"{metrics['auroc']:.3f} <small>[{low:.3f}, {high:.3f}]</small>")
        cells += [_told(metrics[key], key) if key in metrics else "&ndash;" for key in keys]
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr class="chosen">{row}</tr>' if chosen else f"<tr>{row}</tr>")
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>"


def _told(value: float, metric: str) -> str:
    return percent(value) if metric in ("precision", "recall", "false_alarm_rate") else f"{value:.3f}"


def figures(images: Mapping[str, Path], captions: Mapping[str, Caption]) -> str:
    """Return the figures, PNG files by name, with their captions and in the order of these."""
    plots = []
    for name, (title, text, wide) in captions.items():
        if name in images:
            source = data_uri(images[name].read_bytes(), "png")
            plots.append(
                f'<figure id="{name}" class="plot{" wide" if wide else ""}"><h3>{title}</h3>'
                f'<div class="scroll"><img alt="{title}" src="{source}"></div>'
                f"<figcaption>{text}</figcaption></figure>"
            )
    return '<div class="plots">\n' + "\n".join(plots) + "\n</div>"


def facts(title: str, hint: str, values: Sequence[tuple[str, Any]]) -> str:
    """Return a section with a table of names and values, nothing where there are none."""
    if not values:
        return ""
    rows = "\n".join(f"<tr><td>{escape(str(k))}</td><td>{escape(str(v))}</td></tr>" for k, v in values)
    head = f"<h2>{title} <small>{hint}</small></h2>"
    return f'<section>\n{head}\n<table class="facts">\n{rows}\n</table>\n</section>'


def _notes(notes: Sequence[str]) -> str:
    items = "\n".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'\n<ul class="notes" aria-label="Notes">\n{items}\n</ul>' if notes else ""


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested mappings as one level of dotted names."""
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        pairs += flat(value, f"{name}.") if isinstance(value, Mapping) else [(name, value)]
    return pairs
