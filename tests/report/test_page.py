"""The page: true in what it says, safe in what it shows, whole in itself."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from attractor.report.page import decisions, render_page, verdict

HOSTILE = "<script>alert(1)</script>\"'&$title ${style}\udcff"


def test_verdict_counts_what_was_flagged(evaluation):
    found = int((evaluation.scores["mahalanobis"][40:] > evaluation.threshold).sum())
    assert decisions(evaluation) == ((2, 40), (found, 60))
    text = verdict(evaluation).replace(" ", " ")
    assert text.startswith(
        "Of 40 normal images 2 were flagged (5 %; calibrated to 1.5 %, asked for was 1 %); of 60 anomalous ones"
    )
    assert f"{found} were found" in text
    assert text.endswith("Unreadable files, left out: 1.")


def test_one_rate_is_said_once(evaluation):
    same = replace(evaluation, rate_in_force=0.01)
    assert "(5 %; calibrated to 1 %);" in verdict(same).replace(" ", " ")


def test_the_head_says_by_what_and_every_note(evaluation):
    head = render_page(replace(evaluation, notes=["one <note>", "another"]), {}).split("</header>")[0]
    places = [
        head.index(text) for text in (f">Score in use: {evaluation.detector}.<", "Of 40", "one &lt;note&gt;", "another")
    ]
    assert places == sorted(places)


def test_nothing_flagged_is_nothing_found(evaluation):
    nothing = replace(evaluation, flagged=np.zeros(100, bool))
    assert decisions(nothing) == ((0, 40), (0, 60))


def _hostile(evaluation):
    return replace(
        evaluation,
        title=HOSTILE,
        method=HOSTILE,
        scores={HOSTILE: evaluation.scores["mahalanobis"]},
        metrics={HOSTILE: evaluation.metrics["mahalanobis"]},
        examples=[replace(e, path=HOSTILE) for e in evaluation.examples],
        detector=HOSTILE,
        unreadable=[(HOSTILE, HOSTILE)],
        notes=[HOSTILE],
        provenance={HOSTILE: HOSTILE},
    )


class _Tags(HTMLParser):
    """Collects the tags and checks that they nest."""

    def __init__(self):
        super().__init__()
        self.seen, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("spoil", [lambda e: e, _hostile])
def test_foreign_text_is_escaped_and_tags_nest(evaluation, spoil):
    page = render_page(spoil(evaluation), {})
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert "script" not in tags.seen
    assert page.count("<table>") == 1


def test_template_characters_in_names_stay_as_they_are(evaluation):
    page = render_page(_hostile(evaluation), {})
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;$title ${style}\udcff</title>" in page


def test_nothing_is_fetched(evaluation, tmp_path):
    (tmp_path / "auroc.png").write_bytes(b"\x89PNG")
    page = render_page(evaluation, {"auroc": tmp_path / "auroc.png"})
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert "url(" not in page
    assert "@import" not in page


def test_methods_are_ranked_and_the_chosen_one_marked(evaluation):
    table = render_page(evaluation, {}).split("<tbody>")[1].split("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", table)
    aurocs = [float(re.findall(r"<td>(0\.\d+|1\.0+) <small>", row)[0]) for row in rows]
    assert aurocs == sorted(aurocs, reverse=True)
    (marked,) = [row for row in rows if 'class="chosen"' in row]
    assert "mahalanobis (in use)" in marked


def test_galleries_show_what_their_titles_say(evaluation):
    scores, labels = evaluation.scores["mahalanobis"], evaluation.labels
    for threshold in (5.0, 8.0):
        page = render_page(replace(evaluation, flagged=scores > threshold, threshold=threshold), {})
        missed, alarms = (labels == 1) & (scores <= threshold), (labels == 0) & (scores > threshold)
        for title, which, sign in (
            ("Most anomalous images <small>highest", scores > -np.inf, -1),
            (f"Missed anomalies <small>{missed.sum()} in all, lowest", missed, 1),
            (f"False alarms <small>{alarms.sum()} in all, highest", alarms, -1),
        ):
            if which.any():
                gallery = page.split(f"<h2>{title} scores first</small>")[1].split("</section>")[0]
                order = [i for i in np.argsort(sign * scores) if which[i]]
                assert re.findall('<code title="(.*?)"', gallery) == [evaluation.paths[i] for i in order[:12]]


def test_what_is_missing_leaves_no_empty_heading(evaluation):
    bare = replace(evaluation, examples=[], pixel_metrics=None, detector="", unreadable=[], notes=[], provenance={})
    page = render_page(bare, {})
    for text in (
        "Pixel AUROC",
        "Most anomalous",
        "Missed",
        "False alarms <",
        "Unreadable",
        "Notes",
        "Score in use",
        "Provenance",
    ):
        assert text not in page
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S).lower()


def test_a_method_without_decisions_shows_dashes(evaluation):
    kept = ("auroc", "auroc_interval", "ap", "oracle_f1", "oracle_threshold")
    bare = {key: evaluation.metrics["reconstruction"][key] for key in kept}
    page = render_page(replace(evaluation, metrics=evaluation.metrics | {"reconstruction": bare}), {})
    assert page.count("<td>&ndash;</td>") == 4
