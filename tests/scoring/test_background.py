"""Distances from images of anything: the nearer sight counts, half precision does no harm, files are checked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig
from attractor.models.features import Features, extract
from attractor.models.store import save_model, save_tensors
from attractor.scoring.background import BACKGROUND, SIGHTS, Background, load_background, sights
from attractor.scoring.methods import GaussianMethod
from attractor.training.background import write_background

CONFIG = SelyneConfig(image_size=(16, 16), patch_sizes=(4,), dim=12, latent=6, heads=3, depth=3, prototypes=2)


@pytest.fixture
def model() -> Selyne:
    torch.manual_seed(0)
    return Selyne(CONFIG).eval()


def images(count: int, seed: int) -> torch.Tensor:
    return torch.randint(256, (count, 3, 16, 16), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def seen(model: Selyne, views: torch.Tensor) -> Features:
    with torch.no_grad():
        return extract(model, model.normalize(views))


def test_the_second_sight_has_half_the_resolution() -> None:
    sharp, coarse = sights(images(3, 0))
    assert torch.equal(sharp, images(3, 0)) and coarse.dtype == torch.uint8 and coarse.shape == sharp.shape
    flat = torch.full((1, 3, 16, 16), 77, dtype=torch.uint8)
    assert torch.equal(sights(flat)[1], flat)
    assert coarse.float().diff(dim=-1).abs().mean() < 0.6 * sharp.float().diff(dim=-1).abs().mean()


def test_the_nearer_sight_counts(model: Selyne) -> None:
    background, alone = Background(CONFIG), {sight: GaussianMethod("latent", CONFIG) for sight in SIGHTS}
    for sight, views in zip(SIGHTS, sights(images(60, 1)), strict=True):
        background.update(sight, seen(model, views))
        alone[sight].update(seen(model, views))
    found = background.finish()(seen(model, images(9, 2)))
    for method in alone.values():
        method.finish()
    each = torch.stack([alone[sight](seen(model, images(9, 2))) for sight in SIGHTS])
    torch.testing.assert_close(found["mahalanobis"], each.min(dim=0).values, rtol=2e-2, atol=0)
    assert set(found) == {"mahalanobis", "knn", "levels"}


def test_it_comes_back_from_its_file(model: Selyne, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    assert load_background(tmp_path, CONFIG) is None
    assert write_background(tmp_path, images(60, 1)) == tmp_path / BACKGROUND
    loaded, again = load_background(tmp_path, CONFIG), load_background(tmp_path, CONFIG)
    assert loaded is not None and again is not None
    near, far = seen(model, images(9, 2)), seen(model, torch.zeros(9, 3, 16, 16, dtype=torch.uint8))
    for name, distance in loaded(near).items():
        assert torch.equal(distance, again(near)[name]) and distance.isfinite().all()
        assert distance.mean() < loaded(far)[name].mean()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / BACKGROUND, {"x": torch.zeros(2)})
    with pytest.raises(InputError, match="does not fit this model"):
        load_background(tmp_path, CONFIG)
    (tmp_path / BACKGROUND).write_bytes(b"not tensors")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        load_background(tmp_path, CONFIG)
