"""The figures of a descent draw its own numbers."""

import numpy as np
import pytest
from walks import make_walk

from attractor.report.descent.figures import MEMORIES, attention, energy, memories, norms
from attractor.report.descent.pictures import Descent, pixels


def test_energy_curves_break_between_blocks(descent):
    top, bottom = energy(descent).axes
    lines = [line for line in top.lines if len(line.get_xdata()) == 4]
    for name, (first, second) in zip(descent.falls, zip(lines[::2], lines[1::2], strict=True), strict=True):
        np.testing.assert_array_equal(first.get_xdata(), [0, 1, 2, 3])
        np.testing.assert_array_equal(second.get_xdata(), [4, 5, 6, 7])
        np.testing.assert_allclose([*first.get_ydata(), *second.get_ydata()], descent.falls[name])
    labels = [text.get_text() for text in top.get_legend().get_texts()]
    start, end = descent.energies["total"][[0, -1]]
    assert labels[0] == f"total, {start:,.1f} to {end:,.1f}"
    assert len(labels) == 3
    np.testing.assert_allclose(bottom.lines[1].get_ydata(), descent.forces[4:])
    assert [line.get_xdata()[0] for line in top.lines if line not in lines] == [3.5]


def test_tokens_stand_hidden_first_then_given_then_cls(descent):
    left, right = norms(descent).axes[:2]
    drawn = left.images[0].get_array()
    assert drawn.shape == (7, 8)
    hidden = 1 + np.flatnonzero(descent.hidden)
    np.testing.assert_allclose(drawn[: len(hidden)], descent.norms[:, hidden].T)
    np.testing.assert_allclose(drawn[-1], descent.norms[:, 0])
    np.testing.assert_allclose(right.images[0].get_array()[-1], descent.moves[1:, 0])
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["hidden (3)", "given (3)", "CLS (1)"]


def test_attention_shows_each_watched_patch_at_three_states(descent):
    panels = [axes for axes in attention(descent).axes if axes.images]
    assert [axes.get_title() for axes in panels[:3]] == ["step 0", "step 3", "step 7"]
    assert len(panels) == 9
    brightest = max(descent.attention(s)[1 + p, 1:].max() for s in (0, 3, 7) for p in descent.watched())
    expected = descent.on_picture(3, descent.attention(3)[1 + descent.watched()[2], 1:], (0, brightest))
    np.testing.assert_array_equal(panels[7].images[0].get_array(), expected)
    (frame,) = panels[7].patches
    row, column = descent.corner(descent.watched()[2])
    assert frame.get_xy() == (column * 128 - 0.5, row * 128 - 0.5)


def test_a_wide_picture_makes_a_low_figure_and_small_patches_a_thin_outline(descent):
    low, fine = attention(descent), attention(Descent(make_walk(patch=1)))
    assert low.get_figheight() == pytest.approx(2.55 * 16 / 24 * 3 + 0.4)
    lines = [figure.axes[0].patches[0].get_linewidth() for figure in (low, fine)]
    assert lines == [2.5, pytest.approx(40 / 24)]


def test_memories_are_named_by_their_pull(descent):
    (axes,) = memories(descent).axes
    assert len(axes.images) == len(axes.texts) < 6 * (2 + MEMORIES)  # some do not pull at all
    patch, (row, column) = descent.watched()[0], descent.corner(descent.watched()[0])
    texts = [text.get_text() for text in axes.texts]
    last = texts.index("step 7")
    indices, strengths = descent.walk.memories(7, 1, MEMORIES)
    pulls = [f"{s:.3g}" for s in strengths[1 + patch].tolist() if s > 0]
    assert texts[last : last + 3 + len(pulls)] == ["step 7", "shows", *pulls, "step 0"]
    shown, strongest = axes.images[last + 1 : last + 3]
    reading = descent.readings[7, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8]
    np.testing.assert_array_equal(shown.get_array(), reading)
    memory = descent.walk.memory_patches(1)[indices[1 + patch, 0]]
    np.testing.assert_array_equal(strongest.get_array(), pixels(memory))


@pytest.mark.parametrize(("hidden", "draws"), [(False, (energy, norms, attention, memories)), (True, (norms,))])
def test_nothing_hidden_everything_hidden_and_grey_draw_too(hidden, draws):
    walk = make_walk(channels=1, memories=3)
    walk.hidden[:] = hidden
    for draw in draws:
        assert draw(Descent(walk)).axes
