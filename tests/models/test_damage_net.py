"""The net that finds damage: logits in squares of four pixels, whatever the light, and views judged by the worst."""

from __future__ import annotations

import pytest
import torch

from attractor.models.damage_net import DamageNet, judged


@pytest.fixture
def net() -> DamageNet:
    torch.manual_seed(0)
    return DamageNet(3).eval()


@pytest.mark.parametrize("size", [(64, 64), (16, 24), (17, 33), (4, 5)])
def test_a_logit_for_every_four_pixels(net: DamageNet, size: tuple[int, int]) -> None:
    logits = net(torch.rand(2, 3, *size))
    assert logits.shape == (2, -(-size[0] // 4), -(-size[1] // 4)) and torch.isfinite(logits).all()


def test_exposure_does_not_count(net: DamageNet) -> None:
    images = torch.rand(2, 3, 32, 32) * 0.4 + 0.3
    darker = 0.5 * (images + 0.03) - 0.03  # half the light, beside what dark pixels have of their own
    torch.testing.assert_close(net(darker), net(images), rtol=1e-3, atol=1e-4)


def test_a_spot_is_seen_where_it_is(net: DamageNet) -> None:
    images = torch.full((1, 3, 64, 64), 0.5)
    spotted = images.clone()
    spotted[..., 40:44, 8:12] = 0.0
    change = (net(spotted) - net(images))[0].abs()
    assert change[8:13, :5].sum() > 0.5 * change.sum()


def test_dark_pixels_are_no_infinity(net: DamageNet) -> None:
    assert torch.isfinite(net(torch.zeros(1, 3, 16, 16))).all()


def test_a_view_is_judged_by_its_five_highest_places_smoothed() -> None:
    logits = torch.zeros(1, 6, 6)
    logits[0, 2, 2] = 9.0
    assert judged(logits).tolist() == [1.0]  # nine places around it have 1, of which five count
    assert judged(torch.full((2, 2, 2), 3.0)).tolist() == pytest.approx([3 * 4 / 9] * 2)  # beyond the border is 0
