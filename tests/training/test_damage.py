"""Simulated damage: the masks tell the truth, half of the views stay whole, and a seed tells everything."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attractor.training import damage
from attractor.training.damage import VISIBLE, blurred, simulate_damage


@pytest.fixture
def images() -> Tensor:
    """Grey streaks, 400 views of 32 x 48 pixels."""
    return 0.4 + 0.1 * torch.randn(400, 3, 1, 48).expand(-1, -1, 32, -1).clamp(-2, 2)


def test_pixels_outside_the_mask_are_those_of_the_image(images: Tensor) -> None:
    damaged, masks = simulate_damage(images)
    change = blurred((damaged - images).abs().mean(dim=1, keepdim=True), 3)[:, 0]
    assert damaged.shape == images.shape and masks.dtype == torch.bool and masks.shape == (400, 32, 48)
    assert damaged.min() >= 0 and damaged.max() <= 1
    assert change[~masks].max() <= VISIBLE < change[masks].min()


def test_about_half_of_the_images_stay_exactly_whole(images: Tensor) -> None:
    damaged, masks = simulate_damage(images)
    whole = (damaged == images).flatten(1).all(dim=1)
    assert 0.4 < whole.float().mean() < 0.6
    assert not masks[whole].any()
    assert masks[~whole].flatten(1).any(dim=1).float().mean() > 0.7


def test_damage_is_small_and_large_and_anywhere(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "PLACES", 1)
    _, masks = simulate_damage(images)
    areas = masks.flatten(1).sum(dim=1)
    areas = areas[areas > 0].float()
    assert areas.quantile(0.1) < 50 and areas.quantile(0.95) > 250
    covered = masks.float().mean(dim=0)
    assert covered.min() > 0 and covered[:4, :4].mean() > 0.2 * covered.mean()


def test_damage_is_brighter_and_darker(images: Tensor) -> None:
    damaged, masks = simulate_damage(images)
    change = (damaged - images).mean(dim=1)[masks]
    assert 0.2 < (change > 0).float().mean() < 0.8


def test_the_global_seed_decides(images: Tensor) -> None:
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(simulate_damage(images)[0])
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("channels", [1, 3])
def test_one_image_alone_can_be_damaged(channels: int) -> None:
    damaged, _ = simulate_damage(torch.rand(1, channels, 16, 16))
    assert torch.isfinite(damaged).all()
