"""The page of a descent: its data are the walk's, nothing is fetched, foreign text is escaped."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from attractor.report.descent import page as descent_page
from attractor.report.descent.page import render_descent, verdict
from attractor.report.descent.pictures import Descent
from attractor.tasks.inpainting.walk import Walk


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def array(text, dtype, *shape):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


@pytest.fixture(scope="module")
def page(descent):
    return render_descent(descent, {}, "a <b> & $title ${x}")


class _Tags(HTMLParser):
    """Checks that tags nest."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_tags_nest_and_titles_are_escaped(page):
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert "<h1>a &lt;b&gt; &amp; $title ${x}</h1>" in page


def test_nothing_is_fetched(page):
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) == 3
    assert all(source.startswith("data:image/png") for source in sources)
    outside = re.sub(r"http://www\.w3\.org/2000/svg", "", page)  # a name, not an address
    assert not re.search(r"https?://|@import|fetch\(|XMLHttpRequest", outside)


def test_attention_comes_back_from_its_bytes(page, descent):
    data = data_of(page)
    assert data["heads"] == 2
    shares = (array(data["attention"], np.uint8, 8, 2, 7, 7) / 255.0) ** 2
    for state in (0, 5):
        np.testing.assert_allclose(shares[state], descent.walk.attention(state, 1), atol=1 / 255)


def test_too_many_heads_are_averaged(descent, monkeypatch):
    monkeypatch.setattr(descent_page, "MOST_ATTENTION", 8 * 7 * 7)
    data = data_of(render_descent(descent, {}, ""))
    assert data["heads"] == 1
    shares = (array(data["attention"], np.uint8, 8, 7, 7) / 255.0) ** 2
    np.testing.assert_allclose(shares[5], descent.attention(5), atol=1 / 255)


def test_of_too_many_tokens_the_largest_shares_are_kept(descent, monkeypatch):
    monkeypatch.setattr(descent_page, "MOST_ATTENTION", 8 * 7 * 3)
    monkeypatch.setattr(descent_page, "FEWEST_SHARES", 2)
    data = data_of(render_descent(descent, {}, ""))
    assert (data["heads"], data["kept"]) == (1, 3)
    shares = (array(data["attention"], np.uint8, 8, 7, 3) / 255.0) ** 2
    places = array(data["looked_at"], np.uint32, 8, 7, 3)
    for state in (0, 5):
        whole = descent.attention(state)
        np.testing.assert_allclose(shares[state], np.sort(whole)[:, :-4:-1], atol=1 / 255)
        np.testing.assert_allclose(shares[state], np.take_along_axis(whole, places[state].astype(int), 1), atol=1 / 255)


def test_memories_keep_number_strength_and_block(page, descent):
    data, walk = data_of(page), descent.walk
    most = data["most"]
    nearest, pulls = array(data["nearest"], np.uint32, 8, 7, most), array(data["pulls"], np.float32, 8, 7, most)
    for state in (1, 6):
        indices, strengths = walk.memories(state, 1, most)
        np.testing.assert_array_equal(np.array(data["names"])[nearest[state]], indices)
        np.testing.assert_array_equal(pulls[state], strengths)
    assert len(data["names"]) > 12  # memories of one number in two blocks are two
    assert not set(nearest[1].flat) & set(nearest[6].flat)


def test_curves_and_moves_are_those_of_the_walk(page, descent):
    data = data_of(page)
    for name, values in descent.falls.items():
        np.testing.assert_allclose(data["falls"][name], values, rtol=1e-6)
    np.testing.assert_allclose(array(data["moves"], np.float32, 8, 7), descent.moves, rtol=1e-6)
    assert data["blocks"] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert data["hidden"] == descent.hidden.astype(int).tolist()


def test_the_verdict_counts_steps_and_rises(descent):
    assert verdict(descent).startswith("3 of 6 patches were hidden. Nothing but 6 steps downhill on 2 energies")
    first = descent.walk.traces[0]
    energies = first.energies.clone()
    energies[:, 1] = torch.tensor([0.0, 1.0, 0.5, 0.75])
    risen = replace(descent.walk, traces=(replace(first, energies=energies), descent.walk.traces[1]))
    assert verdict(Descent(risen, 1)).endswith("2 of these went up. Shown as the model sees it, 24 x 16 pixels.")


def test_a_fixed_point_that_was_not_reached_is_said(descent):
    walk = descent.walk
    given = (walk.model, walk.model.normalize(walk.images), walk.hidden)
    missing = "No fixed point, which the rule seeks, was reached within these steps."
    assert missing in verdict(Descent(Walk.of(*given, "equilibrium", steps=2)))
    assert missing not in verdict(descent)  # whose rule seeks none
    settled = tuple(replace(trace, converged=torch.ones(2, dtype=torch.bool)) for trace in walk.traces)
    assert missing not in verdict(Descent(replace(walk, rule="equilibrium", traces=settled)))
    half = (settled[0], replace(settled[1], converged=torch.tensor([True, False])))
    assert [missing in verdict(Descent(replace(walk, rule="equilibrium", traces=half), i)) for i in (0, 1)] == [
        False,
        True,
    ]


def test_numbers_say_after_which_step(page, descent):
    assert "<span>Energy after 6 steps</span>" in page
    assert f"from {descent.energies['total'][0]:.4g}" not in page


def test_sheets_hold_the_pictures_in_reading_order(page, descent):
    sheet = Image.open(io.BytesIO(base64.b64decode(data_of(page)["frames"].partition(",")[2])))
    assert sheet.size == (3 * 24, 3 * 16)  # eight pictures and a blank
    for state in (0, 5):
        x, y = state % 3 * 24, state // 3 * 16
        np.testing.assert_array_equal(np.asarray(sheet.crop((x, y, x + 24, y + 16))), descent.frames[state])
