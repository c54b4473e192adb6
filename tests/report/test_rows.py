"""A row as text, picture and page: ours beside the published, blank where there is nothing."""

from pathlib import Path

import numpy as np
import pytest

from attractor.report.rows import draw, lines, ours, published, render_table, write_row


def spread(mean: float, std: float | None, seeds: int = 1, parts: int = 1) -> dict:
    cv = 100 * std / mean if std is not None else None
    return {"mean": mean, "std": std, "cv_percent": cv, "seeds": list(range(seeds)), "parts": parts}


def measured(variant: str, seed: int, revision: str, **values: float | None) -> dict:
    return {"variant": variant, "seed": seed, "part": "", "values": values, "git_revision": revision}


@pytest.fixture
def result() -> dict:
    """Two variants, one of which was not run; a measure that was not published, and one that was not measured."""
    return {
        "name": "toy",
        "title": "Toys <b>",
        "main": "main",
        "command": "attractor reproduce toy --model 'a<b'",
        "caution": None,
        "source": "a paper",
        "date": "today",
        "variants": {"run": {}, "not run": {}},
        "summary": {"run": {"own": spread(0.25, None), "other": spread(0.75, 0.1, 1, 5), "main": spread(0.5, 0.05, 2)}},
        "published": {
            "run": {"other": {"mean": 0.8, "std": 0.02}},
            "not run": {"main": {"mean": 0.9, "cv_percent": 2}},
        },
        "runs": [
            measured("run", 0, "abc", main=0.45, other=0.75, own=None),
            measured("run", 1, "def-dirty", main=0.55, own=0.25),
        ],
    }


def test_ours_says_what_its_spread_is_over() -> None:
    assert ours(spread(0.5, 0.05, 3, 10)) == "0.500 ± 0.050 (CV 10 %, 3 seeds)"
    assert ours(spread(0.5, 0.05, 1, 10)) == "0.500 ± 0.050 (CV 10 %, 10 parts)"
    assert ours(spread(0.5, None)) == "0.500" and ours(None) == ""
    assert ours({**spread(0.5, 1.0, 2), "mean": 0.0, "cv_percent": None}) == "0.000 ± 1.000 (2 seeds)"


def test_the_published_is_as_it_was_published() -> None:
    assert published({"mean": 0.891, "cv_percent": 0.06}) == "0.891 (CV 0.06 %)"
    assert published({"mean": 0.959, "std": 0.0}) == "0.959 ± 0.000"
    assert published({"mean": 0.8948}) == "0.895" and published(None) == ""


def test_the_main_measure_first_then_what_was_published(result) -> None:
    found = [(line.variant, line.measure, bool(line.ours), bool(line.published)) for line in lines(result)]
    assert found == [
        ("run", "main", True, False),
        ("run", "other", True, True),
        ("run", "own", True, False),
        ("not run", "main", False, True),
    ]


def test_the_text_has_all_of_it_in_columns(result) -> None:
    title, head, *rows = render_table(result).splitlines()
    assert title == "Toys <b>" and head.split() == ["variant", "measure", "ours", "published"] and len(rows) == 4
    column = head.index("published")
    assert [row[column:] for row in rows] == ["", "0.800 ± 0.020", "", "0.900 (CV 2 %)"]


def test_the_picture_shows_means_runs_and_the_published(result) -> None:
    (axes,) = draw(result).axes
    shown: dict[str, list] = {"o": [], "|": [], "D": []}
    for line in axes.lines:
        points = zip(*(np.asarray(of, float).tolist() for of in line.get_data()), strict=True)
        shown[line.get_marker()] += [(x, y) for x, y in points if np.isfinite(x)]
    # from below: "not run" main, "run" other, "run" main; what was measured only is not shown
    assert sorted(shown["o"]) == [(0.5, 2), (0.75, 1)]
    assert sorted(shown["|"]) == [(0.45, 2), (0.55, 2), (0.75, 1)]
    assert sorted(shown["D"]) == [(0.8, 1), (0.9, 0)]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["not run\nmain", "run\nother", "run\nmain"]


def test_a_row_without_published_figures_has_no_mark_for_them(result) -> None:
    (axes,) = draw({**result, "published": {}}).axes
    assert "published" not in [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_page_holds_the_table_the_picture_and_every_revision(result, tmp_path: Path) -> None:
    page = write_row(result, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.html", "toy.pdf", "toy.png"]
    text = page.read_text(encoding="utf-8")
    assert "<td>0.750 ± 0.100 (CV 13 %, 5 parts)</td><td>0.800 ± 0.020</td>" in text
    assert "Toys &lt;b&gt;" in text and "<b>" not in text and "a<b" not in text
    assert "abc, def-dirty" in text and "a paper" in text
