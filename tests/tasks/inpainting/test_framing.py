"""Frames: what is hidden leaks into nothing that is seen, what is visible comes back to the bit, at any size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attractor.data.masks import patches_of, random_patches
from attractor.models import ImageETConfig
from attractor.tasks.inpainting.framing import frame

CONFIG = ImageETConfig(image_size=(16, 24), patch=4, dim=16, heads=2, head_dim=8, memories=8)
sides = st.tuples(st.integers(1, 90), st.integers(1, 90))
sizes = st.sampled_from(["model", "own"])


@given(sides, sizes, st.integers(0, 50))
def test_hidden_content_reaches_no_pixel_that_is_seen(side: tuple[int, int], size: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    image, other = torch.rand(2, 3, *side, generator=generator)
    mask = torch.rand(side, generator=generator) < 0.3
    framed = frame(side, CONFIG, size)
    view, blank = framed.look(image, mask)
    changed, same = framed.look(torch.where(mask, other, image), mask)
    assert view.shape == (3, *framed.size) and framed.size[0] % 4 == framed.size[1] % 4 == 0
    assert torch.equal(blank, same) and torch.equal(view[:, ~blank], changed[:, ~blank])
    assert view.min() >= 0 and view.max() <= 1 + 1e-6


@given(sides, sizes, st.integers(0, 50))
def test_visible_pixels_come_back_to_the_bit(side: tuple[int, int], size: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    image, mask = torch.rand(3, *side, generator=generator), torch.rand(side, generator=generator) < 0.3
    framed = frame(side, CONFIG, size)
    filled = framed.restore(image, mask, torch.full((3, *framed.size), 0.25))
    assert torch.equal(filled[:, ~mask], image[:, ~mask])
    torch.testing.assert_close(filled[:, mask], torch.full_like(filled[:, mask], 0.25))


@given(st.tuples(st.integers(12, 90), st.integers(18, 90)), sizes, st.integers(0, 50))
def test_patches_that_are_drawn_are_the_patches_that_are_hidden(side: tuple[int, int], size: str, seed: int) -> None:
    framed = frame(side, CONFIG, size)
    hidden = random_patches(1, framed.grid, 0.4, torch.Generator().manual_seed(seed))
    mask = framed.pixels(hidden[0])
    assert mask.shape == side
    _, blank = framed.look(torch.rand(3, *side), mask)
    assert torch.equal(patches_of(blank[None], 4), hidden)


def test_an_image_of_the_models_size_is_seen_as_it_is() -> None:
    image, mask = torch.rand(3, 16, 24), torch.rand(16, 24) < 0.5
    for size in ("model", "own"):
        view, blank = frame((16, 24), CONFIG, size).look(image, mask)
        assert torch.equal(view, image) and torch.equal(blank, mask)


def test_a_thin_line_in_a_large_image_is_seen_through() -> None:
    mask = torch.zeros(160, 240, dtype=torch.bool)
    mask[:, 100:106] = True
    image = torch.full((3, 160, 240), 0.5).masked_fill(mask, 1.0)
    view, blank = frame((160, 240), CONFIG, "model").look(image, mask)
    assert not blank.any()
    torch.testing.assert_close(view, torch.full_like(view, 0.5))


def test_what_was_painted_small_is_put_where_it_belongs() -> None:
    mask = torch.zeros(64, 96, dtype=torch.bool)
    mask[32:, 48:] = True
    painted = torch.zeros(3, 16, 24)
    painted[:, 8:, 12:] = 1.0
    filled = frame((64, 96), CONFIG, "model").restore(torch.zeros(3, 64, 96), mask, painted)
    assert filled[:, 40:, 56:].min() == pytest.approx(1.0) and filled[:, ~mask].max() == 0
