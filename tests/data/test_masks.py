"""Masks: what is drawn follows the seed and the share, what is given is checked, patches and pixels agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attractor.data.masks import (
    as_masks,
    central_block,
    check_mask,
    patches_of,
    pixels_of,
    random_blocks,
    random_patches,
)
from attractor.errors import InputError

grids = st.tuples(st.integers(1, 12), st.integers(1, 12))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(grids, st.floats(0.01, 0.99), st.integers(0, 100))
def test_the_share_of_patches_is_hidden_in_every_image(grid: tuple[int, int], share: float, seed: int) -> None:
    count = grid[0] * grid[1]
    hidden = random_patches(5, grid, share, seeded(seed))
    assert hidden.shape == (5, count) and hidden.dtype == torch.bool
    assert (hidden.sum(dim=1) == max(1, round(share * count))).all()


def test_every_patch_is_hidden_as_often_as_any_other() -> None:
    often = random_patches(4000, (3, 4), 0.25, seeded(0)).float().mean(dim=0)
    assert (often - 0.25).abs().max() < 5 * (0.25 * 0.75 / 4000) ** 0.5


def test_the_seed_decides_and_the_first_masks_do_not_depend_on_the_number() -> None:
    few, many = random_patches(7, (8, 8), 0.5, seeded(3)), random_patches(1000, (8, 8), 0.5, seeded(3))
    assert torch.equal(few, many[:7])
    assert not torch.equal(few, random_patches(7, (8, 8), 0.5, seeded(4)))


@pytest.mark.parametrize("share", [0, 1, -0.5, 2])
def test_a_share_of_nothing_or_everything_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        random_patches(1, (4, 4), share)


@given(grids, st.integers(0, 100))
def test_a_random_block_is_one_rectangle_of_the_promised_size(grid: tuple[int, int], seed: int) -> None:
    for hidden in random_blocks(5, grid, seeded(seed)).unflatten(1, grid):
        rows, columns = hidden.any(dim=1), hidden.any(dim=0)
        assert torch.equal(hidden, rows[:, None] & columns)
        for side, length in ((rows, grid[0]), (columns, grid[1])):
            at = side.nonzero()
            assert max(1, length // 4) <= len(at) <= max(1, 3 * length // 4)
            assert at[-1] - at[0] == len(at) - 1


def test_random_blocks_reach_every_corner() -> None:
    often = random_blocks(2000, (8, 8), seeded(0)).float().mean(dim=0).unflatten(0, (8, 8))
    assert often.min() > 0.02 and often[0, 0] < often[4, 4]


def test_the_central_block_is_the_middle_half() -> None:
    expected = torch.zeros(8, 4, dtype=torch.bool)
    expected[2:6, 1:3] = True
    assert torch.equal(central_block(3, (8, 4)), expected.flatten().expand(3, -1))


@given(grids, st.integers(1, 5), st.integers(0, 100))
def test_patches_and_their_pixels_agree(grid: tuple[int, int], patch: int, seed: int) -> None:
    hidden = torch.rand(2, grid[0] * grid[1], generator=seeded(seed)) < 0.5
    pixels = pixels_of(hidden, grid, patch)
    assert pixels.shape == (2, grid[0] * patch, grid[1] * patch)
    assert pixels.sum() == hidden.sum() * patch**2
    assert torch.equal(patches_of(pixels, patch), hidden)


def test_one_pixel_hides_its_patch() -> None:
    pixels = torch.zeros(1, 8, 12, dtype=torch.bool)
    pixels[0, 3, 8] = True
    assert patches_of(pixels, 4)[0].nonzero().tolist() == [[2]]


def test_masks_are_taken_as_one_for_all_or_one_each() -> None:
    one = np.eye(4, dtype=bool)
    assert [m.tolist() for m in as_masks(one, 3)] == [one.tolist()] * 3
    each = torch.rand(2, 4, 5) < 0.5
    assert all(map(torch.equal, as_masks(each, 2), each))
    assert [m.shape for m in as_masks([one, torch.ones(2, 3, dtype=torch.bool)], 2)] == [(4, 4), (2, 3)]


@pytest.mark.parametrize(
    ("mask", "word"),
    [
        (np.zeros((4, 4)), "float64; give bool"),
        (np.zeros((3, 4, 4), bool), "3 masks for 2 images"),
        ([np.zeros((4, 4), bool)], "1 masks for 2 images"),
        (np.zeros(4, bool), r"shape \(4,\)"),
        ("mask.png", "give bool"),
    ],
)
def test_what_is_no_mask_is_refused(mask: object, word: str) -> None:
    with pytest.raises(InputError, match=word):
        as_masks(mask, 2)


@pytest.mark.parametrize(
    ("mask", "word"),
    [
        (torch.zeros(4, 5, dtype=torch.bool), "hides nothing"),
        (torch.ones(4, 5, dtype=torch.bool), "hides everything"),
        (torch.ones(5, 4, dtype=torch.bool), r"cat\.png: it has 5 x 4 pixels, its mask 4 x 5"),
    ],
)
def test_a_mask_must_fit_its_image_and_leave_something(mask: torch.Tensor, word: str) -> None:
    with pytest.raises(InputError, match=word):
        check_mask(mask, (4, 5), "cat.png")
