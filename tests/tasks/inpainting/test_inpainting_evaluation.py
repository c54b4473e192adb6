"""In-painting measured: every figure from the definitions, the same masks for everybody, the first images alike."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from attractor.models import ImageET, ImageETConfig
from attractor.tasks.inpainting import evaluation as inpainting_evaluation
from attractor.tasks.inpainting.evaluation import biharmonic, evaluate_inpainting, mean_fill
from attractor.tasks.inpainting.inpainter import Inpainter

CONFIG = ImageETConfig(image_size=(16, 16), patch=4, dim=16, heads=2, head_dim=8, memories=16, steps=2)


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    torch.manual_seed(0)
    return Inpainter(ImageET(CONFIG))


def images(count: int) -> Tensor:
    """Smooth ramps of their own colours."""
    generator = torch.Generator().manual_seed(2)
    ramp = torch.linspace(0, 100, 16)[:, None] * torch.rand(count, 3, 1, 1, generator=generator)
    return (ramp + 100 * torch.rand(count, 3, 1, 16, generator=generator).cumsum(-1) / 16 + 20).byte()


def test_the_figures_are_those_of_their_definitions(inpainter: Inpainter) -> None:
    pictures = images(6)
    found = evaluate_inpainting(inpainter, pictures, baseline_images=4, seed=3)
    assert (found["images"], found["compared"], found["seed"]) == (6, 4, 3)
    random = found["masks"]["random"]
    paintings = list(inpainter.paint(pictures, seed=3))
    masks, floats = torch.stack([painting.mask for painting in paintings]).numpy(), pictures.numpy() / 255
    expected = []
    for image, mask in zip(floats, masks, strict=True):
        mean = image[:, ~mask].mean(axis=1, keepdims=True)
        expected.append(((image[:, mask] - mean) ** 2).mean())
    theirs = random["compared"]["mean fill"]
    assert theirs["mse"]["mean"] == pytest.approx(np.mean(expected[:4]), rel=1e-5)
    assert theirs["mse"]["standard_error"] == pytest.approx(np.std(expected[:4], ddof=1) / 2, rel=1e-4)
    assert theirs["psnr"]["mean"] == pytest.approx(np.mean(-10 * np.log10(expected[:4])), rel=1e-5)
    ours, all_of_ours = random["compared"]["attractor"], random["all"]["attractor"]
    assert (ours["images"], all_of_ours["images"], theirs["images"]) == (4, 6, 4)
    assert theirs["gain"]["mean"] == pytest.approx(ours["psnr"]["mean"] - theirs["psnr"]["mean"], abs=1e-4)
    psnr = inpainter.score(pictures, torch.from_numpy(masks))
    assert all_of_ours["psnr"]["mean"] == pytest.approx(psnr, abs=1e-4)
    assert found["masks"]["block"]["hidden"] == 0.25 and random["hidden"] == 0.5


def test_the_first_images_are_measured_alike_however_many_there_are(inpainter: Inpainter) -> None:
    few, many = (evaluate_inpainting(inpainter, images(9)[:n], baseline_images=3) for n in (3, 9))
    for name in ("random", "block"):
        torch.testing.assert_close(few["masks"][name]["compared"], many["masks"][name]["compared"])
        assert few["masks"][name]["all"]["attractor"]["psnr"] == pytest.approx(
            few["masks"][name]["compared"]["attractor"]["psnr"]
        )


def test_baselines_keep_what_is_visible_and_biharmonic_follows_a_ramp() -> None:
    pytest.importorskip("skimage")
    image = torch.linspace(0.2, 0.8, 16).expand(3, 16, 16).contiguous()
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[4:12, 4:12] = True
    for fill in (mean_fill, biharmonic):
        torch.testing.assert_close(fill(image, mask)[:, ~mask], image[:, ~mask])
    torch.testing.assert_close(biharmonic(image, mask), image, atol=1e-3, rtol=0)
    torch.testing.assert_close(mean_fill(image, mask)[:, mask], torch.full((3, 64), 0.5))


def test_without_scikit_image_its_row_is_left_out(
    inpainter: Inpainter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(inpainting_evaluation, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "skimage", None)
    found = evaluate_inpainting(inpainter, images(3))
    assert set(found["masks"]["random"]["compared"]) == {"attractor", "mean fill"}
    assert capsys.readouterr().err.count("attractor[demo]") == 1
