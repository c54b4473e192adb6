"""Score methods: what each is offered for, what it gives a view, and that all of it is saved."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig
from attractor.models.features import Features, extract
from attractor.scoring.methods import METHODS, NeighboursMethod, check_method, methods_for

CONFIG = SelyneConfig(image_size=(16, 24), patch_sizes=(8, 4), dim=12, latent=6, heads=3, depth=3, prototypes=2)
LOCAL = {"patches": 24, "places": 24, "damage": 24}  # 4 x 6 patches of 4 pixels, and places of as many


def features(count: int, seed: int = 0) -> Features:
    torch.manual_seed(0)
    model = Selyne(CONFIG).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        return extract(model, torch.randn(count, 3, 16, 24))


def fitted() -> torch.nn.ModuleDict:
    torch.manual_seed(0)
    found = methods_for(CONFIG, damage=True)
    for seed in range(1, 4):
        for method in found.values():
            method.update(features(8, seed))
    for method in found.values():
        method.finish()
    return found.eval()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_number_a_view_or_a_patch(name: str) -> None:
    scores = fitted()[name](features(5, 9))
    assert scores.shape == ((5, LOCAL[name]) if name in LOCAL else (5,))
    assert scores.dtype == torch.float64 and torch.isfinite(scores).all()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_number_a_view_in_the_end(name: str) -> None:
    method = fitted()[name]
    scored = method(features(5, 9))
    of_views = method.of_views(scored)
    assert of_views.shape == (5,)
    if name in ("patches", "places"):
        assert torch.equal(of_views, scored.amax(dim=1)) and method.by_map
    if name == "damage":
        assert (of_views > 0).all() and not method.by_map


@pytest.mark.parametrize("name", METHODS)
def test_a_view_is_scored_alike_alone_and_in_company(name: str) -> None:
    method, together = fitted()[name], features(5, 9)
    alone = Features(*(values[3:4] for values in together))
    torch.testing.assert_close(method(alone), method(together)[3:4], rtol=1e-5, atol=1e-5)


def test_damage_lies_in_a_mirror_image_where_it_is_mirrored() -> None:
    method, seen = fitted()["damage"], features(3, 9)
    logits = method(seen).unflatten(1, method.grid)
    for axes in ((-1,), (-2,), (-2, -1)):
        mirrored = method(seen._replace(images=seen.images.flip(axes))).unflatten(1, method.grid)
        torch.testing.assert_close(mirrored, logits.flip(axes), rtol=1e-5, atol=1e-5)


def test_what_a_method_scores_with_is_in_its_state() -> None:
    before, after = fitted(), methods_for(CONFIG, damage=True).eval()
    after.load_state_dict(before.state_dict())
    for name in METHODS:
        assert torch.equal(after[name](features(4, 9)), before[name](features(4, 9))), name


@pytest.mark.parametrize("name", ["mahalanobis", "knn", "levels", "patches", "free_energy"])
def test_far_features_score_higher(name: str) -> None:
    near = features(6, 9)
    far = Features(*(values + 5 * torch.randn_like(values) for values in near))
    method = fitted()[name]
    assert method(far).mean() > 2 * method(near).mean()


def test_more_neighbours_than_the_bank_holds_are_thinned_evenly() -> None:
    method = NeighboursMethod("latent", limit=40)
    one = features(1)
    for group in range(10):
        batch: list[Tensor] = [values.expand(50, *values.shape[1:]) for values in one]
        latent = torch.zeros(50, 24)
        latent[:, group] = torch.rand(50) + 0.5
        method.update(Features(*batch)._replace(latent=latent))
    kept = method.sample.take()
    assert kept.shape == (40, 24)
    assert (kept.argmax(dim=1).bincount(minlength=10) > 0).sum() >= 7  # early groups are not crowded out


def test_methods_are_offered_where_they_work() -> None:
    standard = SelyneConfig(**{**CONFIG.to_dict(), "attention": "standard"})
    assert set(methods_for(CONFIG)) == set(METHODS) - {"damage"}
    assert set(methods_for(CONFIG, tiles=True)) == set(METHODS) - {"damage", "places"}
    assert set(methods_for(standard, damage=True)) == set(METHODS) - {"free_energy"}


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("colour", "choose one of knn, patches"), ("damage", "tuning='damage'"), ("free_energy", "gloeba")],
)
def test_a_method_that_is_not_offered_is_refused_with_a_remedy(name: str, remedy: str) -> None:
    with pytest.raises(InputError, match=remedy):
        check_method(name, ["knn", "patches"])
    assert check_method("knn", ["knn", "patches"]) == "knn"
