"""Numbers and pixels of one descent."""

import numpy as np
import pytest
import torch
from walks import make_walk

from attractor.report.descent.pictures import Descent, enlarged, pixels
from attractor.tasks.inpainting.walk import Walk


def test_pixels_are_rounded_and_grey_becomes_colour():
    picture = torch.tensor([0.0, 0.4, 1.0]).reshape(1, 1, 3)
    np.testing.assert_array_equal(pixels(picture), np.repeat([[[0], [102], [255]]], 3, axis=2))


@pytest.mark.parametrize(("size", "factor"), [((64, 64), 6), ((16, 24), 16), ((224, 200), 2), ((500, 300), 1)])
def test_small_pictures_are_enlarged_by_repeating_pixels(size, factor):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(enlarged(picture), picture.repeat(factor, axis=0).repeat(factor, axis=1))


def test_it_is_about_its_own_sample(descent):
    other = Descent(descent.walk, 0)
    for name in ("frames", "readings", "image", "forces", "norms", "moves", "hidden"):
        assert not np.array_equal(getattr(descent, name), getattr(other, name)), name
    np.testing.assert_array_equal(descent.frames[-1], pixels(descent.walk.frames[-1, 1]))


def test_falls_start_at_zero_in_every_block(descent):
    for name, fall in descent.falls.items():
        energy = descent.energies[name]
        np.testing.assert_allclose(fall[:4], energy[:4] - energy[0])
        np.testing.assert_allclose(fall[4:], energy[4:] - energy[4])
    assert descent.falls["total"][3] < 0


def test_a_movement_belongs_to_the_state_it_led_to(descent):
    assert (descent.moves[0] == 0).all()
    np.testing.assert_allclose(descent.moves[1:], descent.walk.token_updates[:, 1].numpy())


def test_a_few_outliers_leave_the_rest_of_the_movements_bright():
    plain, outlying = Descent(make_walk(patch=1)), Descent(make_walk(patch=1))  # 384 patches
    outlying.moves[-1, 1:4] = 1e6
    assert plain.farthest <= outlying.farthest < plain.moves[:, 1:].max()
    still = Walk.of(plain.walk.model, plain.walk.images, plain.walk.hidden, steps=0)
    assert Descent(still).farthest == 1


def test_watched_patches_are_hidden_spread_and_different(descent):
    assert descent.hidden[descent.watched()].all()
    many = make_walk(patch=2)
    many.hidden[0] = torch.arange(96) >= 36
    assert Descent(many).watched() == [46, 66, 86]
    many.hidden[0] = False
    assert Descent(many).watched(1) == [48]
    assert len(Descent(many).watched(200)) == 96


def test_heat_lies_on_the_patch_it_belongs_to(descent):
    heat = descent.on_picture(2, np.array([0, 0, 0, 0, 1, 0]), (0, 1))
    coloured = np.ptp(heat, axis=-1) > 30
    side = 8 * 16
    assert coloured[side:, side : 2 * side].all()
    assert coloured.sum() == side * side
    assert descent.corner(4) == (1, 1)
