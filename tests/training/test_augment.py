"""Augmentation of batches: shapes and ranges in colour and grey, and that each image is drawn alone."""

from __future__ import annotations

import pytest
import torch

from attractor.training.augment import LightViews, PretrainAugmentation, mixup


def ramp(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Images that no flip or shift leaves alone."""
    values = torch.linspace(0.1, 0.9, height * width).view(1, 1, height, width)
    return values.expand(count, channels, -1, -1).clone()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (16, 32)])
def test_pretraining_views_stay_images(channels: int, size: tuple[int, int]) -> None:
    augment, images = PretrainAugmentation(size, 4, 2, 9, 0.25), torch.rand(6, channels, *size)
    before = images.clone()
    for seed in range(40):  # RandAugment draws among some fifteen operations
        torch.manual_seed(seed)
        views = augment(images)
        assert views.shape == images.shape and views.dtype == torch.float32
        assert torch.isfinite(views).all() and views.min() >= 0 and views.max() <= 1
        assert not torch.equal(views, images)
    assert torch.equal(images, before)


def test_grey_views_change_more_than_their_place() -> None:
    """The colour operations must act on grey images too, not be skipped."""
    augment, images = PretrainAugmentation((16, 16), 0, 2, 9, 0.0), ramp(4, 1, 16, 16)
    changed = 0
    for seed in range(20):
        torch.manual_seed(seed)
        found, known = augment(images).flatten(1).sort()[0], images.flatten(1).sort()[0]
        changed += not torch.allclose(found, known, atol=1e-4)  # a flip alone keeps the sorted values
    assert changed > 5


def test_each_part_can_be_turned_off() -> None:
    augment, images = PretrainAugmentation((16, 16), 0, 2, 0, 0.0), ramp(64, 3, 16, 16)
    views = augment(images)
    flipped = (views == images.flip(-1)).flatten(1).all(1)
    untouched = (views == images).flatten(1).all(1)
    assert (flipped | untouched).all() and 16 < flipped.sum() < 48


def test_erasing_erases_that_share() -> None:
    views = PretrainAugmentation((16, 16), 0, 2, 0, 0.25)(ramp(400, 3, 16, 16))
    erased = (views == 0).flatten(1).any(1).float().mean()
    assert 0.15 < erased < 0.35


def test_grey_takes_the_colour_of_that_share() -> None:
    images = torch.rand(400, 3, 16, 16)
    views = PretrainAugmentation((16, 16), 0, 2, 0, 0.0, grey=0.3)(images)
    grey = (views.std(1) < 1e-6).flatten(1).all(1).float().mean()
    assert 0.2 < grey < 0.4


def test_blur_softens_that_share() -> None:
    images = torch.rand(400, 3, 16, 16)
    views = PretrainAugmentation((16, 16), 0, 2, 0, 0.0, blur=0.5)(images)
    soft = (views.flatten(1).std(1) < 0.98 * images.flatten(1).std(1)).float().mean()
    assert 0.4 < soft < 0.6


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_moves_brightness_and_contrast(channels: int) -> None:
    images = ramp(200, channels, 16, 16)
    views = PretrainAugmentation((16, 16), 0, 2, 0, 0.0, jitter=0.4)(images)
    assert views.flatten(1).mean(1).std() > 0.05 and views.flatten(1).std(1).std() > 0.02
    assert views.min() >= 0 and views.max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_light_views_are_flips_and_shifts_of_at_most_two_pixels(channels: int) -> None:
    images = ramp(200, channels, 8, 12)
    views = LightViews((8, 12))(images)
    padded = torch.nn.functional.pad(images[:1], (2, 2, 2, 2), mode="reflect")
    shifts = [padded[0, :, i : i + 8, j : j + 12] for i in range(5) for j in range(5)]
    mirrored = torch.nn.functional.pad(images[:1].flip(-1), (2, 2, 2, 2), mode="reflect")
    shifts += [mirrored[0, :, i : i + 8, j : j + 12] for i in range(5) for j in range(5)]
    matches = (views[:, None] - torch.stack(shifts)[None]).abs().amax((2, 3, 4)) < 1e-5
    assert matches.any(1).all()
    assert matches.any(0).sum() > 40  # of 50, drawn for each of 200 images alone


def test_views_repeat_with_the_seed() -> None:
    augment, images = PretrainAugmentation((16, 16), 4, 2, 9, 0.25), torch.rand(4, 3, 16, 16)
    views = []
    for _ in range(2):
        torch.manual_seed(3)
        views.append(augment(images))
    assert torch.equal(*views)


def test_mixup_blends_images_and_labels_alike() -> None:
    labels = torch.arange(6) % 4
    images = torch.nn.functional.one_hot(labels, 4).float()[:, :, None, None].expand(-1, -1, 2, 2)
    blended = 0
    for seed in range(30):
        torch.manual_seed(seed)
        mixed, soft = mixup(images, labels, 4, probability=0.5, alpha=0.2)
        torch.testing.assert_close(mixed[:, :, 0, 0], soft)  # each image is its label
        torch.testing.assert_close(soft.sum(1), torch.ones(6))
        blended += not torch.equal(mixed, images)
    assert 8 < blended < 22


def test_mixup_at_probability_zero_and_one() -> None:
    images, labels = torch.rand(6, 3, 2, 2), torch.arange(6)
    mixed, soft = mixup(images, labels, 6, probability=0.0, alpha=0.2)
    assert torch.equal(mixed, images) and torch.equal(soft, torch.eye(6))
    assert not torch.equal(mixup(images, labels, 6, probability=1.0, alpha=5.0)[0], images)
