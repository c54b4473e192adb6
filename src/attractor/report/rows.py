"""A row of the results, ours beside the published figures: as text, as a picture, as a page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from attractor.files import write_text
from attractor.report.captions import Caption
from attractor.report.page import document, facts, figures
from attractor.report.style import BLUE, GREY, VERMILION, new_figure, save_figure, styled

Values = dict[str, Any]


class Line(NamedTuple):
    """One measure of one variant: ours, and what was published, each as text or empty."""

    variant: str
    measure: str
    ours: str
    published: str


def lines(result: Values) -> Iterator[Line]:
    """Every variant with all that was measured or published of it, the row's main measure first."""
    for variant in result["variants"]:
        mine = result["summary"].get(variant, {})
        theirs = result["published"].get(variant, {})
        measures = sorted(dict.fromkeys([*mine, *theirs]), key=lambda m: (m != result["main"], m not in theirs))
        for measure in measures:
            yield Line(variant, measure, ours(mine.get(measure)), published(theirs.get(measure)))


def ours(value: Values | None) -> str:
    """``mean ± standard deviation (CV, over what)``."""
    if value is None:
        return ""
    if value["std"] is None:
        return f"{value['mean']:.3f}"
    over = f"{len(value['seeds'])} seeds" if len(value["seeds"]) > 1 else f"{value['parts']} parts"
    cv = f"CV {value['cv_percent']:.2g} %, " if value["cv_percent"] is not None else ""
    return f"{value['mean']:.3f} ± {value['std']:.3f} ({cv}{over})"


def published(value: Values | None) -> str:
    """``mean ± standard deviation``, or with its coefficient of variation, as it was published."""
    if value is None:
        return ""
    spread = f" ± {value['std']:.3f}" if "std" in value else ""
    spread += f" (CV {value['cv_percent']:g} %)" if "cv_percent" in value else ""
    return f"{value['mean']:.3f}{spread}"


def render_table(result: Values) -> str:
    """The row as a person reads it in a terminal."""
    rows = [Line("variant", "measure", "ours", "published"), *lines(result)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    text = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join([result["title"], *text])


@styled
def draw(result: Values) -> Figure:
    """The row's main measure, and any other that was published: ours with its spread, every run, the published."""
    shown = [line for line in lines(result) if line.measure == result["main"] or line.published]
    figure = new_figure(8, 1.4 + 0.55 * len(shown))
    axes = figure.add_subplot()
    for place, line in enumerate(reversed(shown)):
        mine = result["summary"].get(line.variant, {}).get(line.measure)
        runs = [r["values"].get(line.measure) for r in result["runs"] if r["variant"] == line.variant]
        axes.plot(runs, [place] * len(runs), "|", color=BLUE, alpha=0.5, markersize=9)
        if mine:
            axes.errorbar(
                mine["mean"], place, xerr=mine["std"] or 0, fmt="o", color=BLUE, capsize=0
            )  # caps would look like runs
        if theirs := result["published"].get(line.variant, {}).get(line.measure):
            axes.plot(theirs["mean"], place, "D", color=VERMILION, markerfacecolor="none")
    axes.set_yticks(range(len(shown)), [f"{line.variant}\n{line.measure}" for line in reversed(shown)])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_title(result["title"])
    axes.plot([], [], "o", color=BLUE, label="ours, mean and standard deviation")
    axes.plot([], [], "|", color=BLUE, alpha=0.5, label="ours, every part of every run")
    if any(line.published for line in shown):
        axes.plot([], [], "D", color=VERMILION, markerfacecolor="none", label="published")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, labelcolor=GREY)
    return figure


def write_row(result: Values, folder: Path) -> Path:
    """Write ``NAME.png``, ``NAME.pdf`` and ``NAME.html`` beside ``NAME.json``; return the page's path."""
    picture = save_figure(draw(result), folder, result["name"])
    head = "".join(f"<th>{name}</th>" for name in ("variant", "measure", "ours", "published"))
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines(result))
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    plot = figures(
        {"row": picture}, {"row": Caption("Ours and the published", f"Made by {escape(result['command'])}.", True)}
    )
    origin = [(key, result[key]) for key in ("source", "caution", "date") if result.get(key)]
    revisions = dict.fromkeys(run["git_revision"] for run in result["runs"] if run["git_revision"])
    origin.append(("git_revision", ", ".join(revisions) or "none"))
    verdict = result["caution"] or f"Measured by {result['command']}"
    page = document(result["title"], verdict, [], f"{table}\n{plot}\n" + facts("Provenance", "", origin))
    return write_text(folder / f"{result['name']}.html", page)
