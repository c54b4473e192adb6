"""Patches compared place by place: against the definition, saved and loaded, and refused where not finite."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from attractor.errors import InputError
from attractor.scoring import places
from attractor.scoring.neighbours import NearestNeighbours
from attractor.scoring.places import PlaceNeighbours


def test_a_patch_is_compared_with_the_nearest_at_its_own_place() -> None:
    normal, views = torch.randn(places.ALIKE, 5, 12), torch.randn(3, 5, 12)
    found = PlaceNeighbours(12).fit(normal)(views)
    cosines = F.cosine_similarity(views[:, None], normal[None], dim=-1)  # (views, normal images, places)
    torch.testing.assert_close(found, 1 - cosines.amax(dim=1), rtol=0, atol=2e-3)  # the bank is in half precision
    swapped = PlaceNeighbours(12).fit(normal.flip(1))(views)
    assert (swapped - found).abs().max() > 0.1


def test_only_the_images_most_alike_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ALIKE", 2)
    view = torch.randn(1, 5, 12)
    near = view + 0.3 * torch.randn(2, 5, 12)
    stranger = torch.cat([view[:, :1], -view[:, 1:]], dim=1)  # the very same patch at the first place, nowhere else
    method = PlaceNeighbours(12)
    found = method.fit(torch.cat([near, stranger]))(view)
    assert torch.equal(found, method.fit(near)(view)) and found[0, 0] > 0.01


def test_many_dimensions_are_projected_and_cosines_nearly_kept() -> None:
    normal, views = torch.randn(50, 2, 512), torch.randn(20, 2, 512)
    near = normal[:20] + 0.3 * views
    method = PlaceNeighbours(512).fit(normal)
    assert method.bank.shape == (2, 50, places.KEPT)
    exact = 1 - F.cosine_similarity(near, normal[:20], dim=-1)
    assert (method(near) - exact).abs().max() < 0.06
    assert method(near).max() < method(views).min()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    method, views = PlaceNeighbours(12).fit(torch.randn(9, 4, 12)), torch.randn(11, 4, 12)
    whole = method(views)
    monkeypatch.setattr(places, "BLOCK", 9 * 4 * 2)
    torch.testing.assert_close(method(views), whole, rtol=1e-5, atol=1e-6)


def test_it_is_all_in_the_state() -> None:
    before, after = PlaceNeighbours(12).fit(torch.randn(9, 4, 12)), PlaceNeighbours(12)
    after.load_state_dict(before.state_dict())
    views = torch.randn(3, 4, 12)
    assert torch.equal(after(views), before(views))


def test_patches_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        PlaceNeighbours(3).fit(torch.full((2, 2, 3), torch.nan))


def test_a_duplicate_is_as_normal_alone_as_among_others() -> None:
    kinds = torch.rand(5, 3, 8)
    bank = NearestNeighbours().fit(kinds[:, 0].repeat(6, 1))
    assert (bank.score(kinds[:, 0] * (1 + 1e-6 * torch.randn(5, 8))) == 0).all()
    assert (bank.score(kinds[:, 1]) > 0).all()
    places = PlaceNeighbours(8).fit(kinds.repeat(6, 1, 1))
    assert places(kinds).max() == places(kinds[:1]).max() < places(kinds.flip(1)).max()
