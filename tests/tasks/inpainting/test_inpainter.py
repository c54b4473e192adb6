"""The in-painter a user holds: fit, fill in, trace, save; what is visible stays, what is hidden never leaks."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from torch import Tensor

from attractor.errors import InputError
from attractor.models import ImageET, ImageETConfig, Selyne, SelyneConfig
from attractor.models.store import load_model, save_model
from attractor.scoring.inpainting import hidden_mse, psnr
from attractor.tasks.inpainting.inpainter import Inpainter
from refusals import refusal

CONFIG = ImageETConfig(image_size=(16, 16), patch=4, dim=16, heads=2, head_dim=8, memories=16, steps=2)


@pytest.fixture(scope="module")
def model() -> ImageET:
    torch.manual_seed(0)
    return ImageET(CONFIG).eval()


def pictures(count: int, *size: int) -> Tensor:
    return torch.rand(count, 3, *(size or (16, 16)), generator=torch.Generator().manual_seed(1))


def half() -> Tensor:
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[:, 8:] = True
    return mask


@pytest.mark.parametrize("size", ["model", "own"])
@pytest.mark.parametrize("side", [(16, 16), (21, 35), (50, 17)])
def test_visible_pixels_come_back_exactly_and_hidden_ones_do_not_matter(model, size, side) -> None:
    images, mask = pictures(3, *side), torch.zeros(3, *side, dtype=torch.bool)
    mask[0, 2:9, 3:8] = mask[1, :8] = mask[2, -6:, :9] = True
    inpainter = Inpainter(model, size=size)
    filled = inpainter.transform(images, mask)
    visible = (~mask)[:, None].expand_as(images)
    assert torch.equal(filled[visible], images[visible])
    other = torch.where(visible, images, 1 - images)
    assert torch.equal(inpainter.transform(other, mask), filled)
    assert filled.min() >= 0 and filled.max() <= 1 and not torch.equal(filled, images)


@pytest.mark.parametrize("shape", [(2, 16, 16), (2, 16, 16, 1), (2, 16, 16, 3)])
@pytest.mark.parametrize("most", [1, 255, 65535])
def test_visible_pixels_of_arrays_are_not_rounded(model: ImageET, shape: tuple[int, ...], most: int) -> None:
    kinds = {1: np.float64, 255: np.uint8, 65535: np.uint16}
    images = (np.random.default_rng(0).random(shape) * most).astype(kinds[most])
    given = (images.astype(np.float32) / np.float32(most)).reshape(2, 16, 16, -1)
    filled = Inpainter(model).transform(images, half()).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(filled[:, :, :8], np.broadcast_to(given, filled.shape)[:, :, :8])


def test_hidden_patches_are_what_the_model_paints(model: ImageET) -> None:
    images, hidden = pictures(2), half()[::4, ::4].flatten().expand(2, -1)
    expected = model.denormalize(model.inpaint(model.normalize(images), hidden)).detach()
    filled = Inpainter(model).transform(images, half())
    torch.testing.assert_close(filled[..., 8:], expected[..., 8:])


def test_the_descent_is_the_one_asked_for(model: ImageET) -> None:
    images = pictures(2)
    results = [
        Inpainter(model, **options).transform(images, half())
        for options in ({"steps": 2}, {"steps": 30}, {"step_size": 5}, {"rule": "ode"})
    ]
    assert torch.equal(results[0], Inpainter(model).transform(images, half()))
    assert all(not torch.equal(one, other) for one, other in pairwise(results))


def test_masks_follow_the_seed_and_nothing_else_is_drawn(model: ImageET) -> None:
    images, inpainter = pictures(4), Inpainter(model)
    state = torch.get_rng_state()
    first = inpainter.transform(images, seed=1)
    assert torch.equal(inpainter.transform(images, seed=1), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(inpainter.transform(images, seed=2), first)
    paintings = list(inpainter.paint(images, share=0.25, seed=1))
    assert [int(p.mask.sum()) for p in paintings] == [4 * 16] * 4
    assert not torch.equal(paintings[0].mask, paintings[1].mask)
    assert torch.equal(next(iter(inpainter.paint(images[:1], share=0.25, seed=1))).mask, paintings[0].mask)


def test_the_seed_of_masks_may_be_of_numpy_and_what_is_none_gets_one_line(model: ImageET) -> None:
    inpainter = Inpainter(model)
    assert torch.equal(inpainter.transform(pictures(2), seed=np.int64(3)), inpainter.transform(pictures(2), seed=3))
    for seed in (None, 1.5, "1", -1, 2**32):
        with pytest.raises(InputError, match=r"^seed is "):
            inpainter.transform(pictures(2), seed=seed)


def test_the_central_block(model: ImageET) -> None:
    mask = next(iter(Inpainter(model).paint(pictures(1, 32, 48), "block"))).mask
    expected = torch.zeros(32, 48, dtype=torch.bool)
    expected[8:24, 12:36] = True
    assert torch.equal(mask, expected)


def test_folders_lists_arrays_and_grey_models(model: ImageET, tmp_path: Path) -> None:
    pixels = (pictures(3) * 255).byte().permute(0, 2, 3, 1).numpy()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    inpainter = Inpainter(model)
    filled = inpainter.transform(tmp_path, half())
    assert isinstance(filled, np.ndarray) and filled.shape == (3, 3, 16, 16) and filled.dtype == np.float32
    np.testing.assert_array_equal(inpainter.transform(pixels, half()), filled)
    np.testing.assert_array_equal(filled[..., :8], pixels.transpose(0, 3, 1, 2)[..., :8].astype(np.float32) / 255)
    sizes = inpainter.transform([pixels[0], np.tile(pixels[1], (2, 1, 1))])
    assert [picture.shape for picture in sizes] == [(3, 16, 16), (3, 32, 16)]
    grey = ImageET(ImageETConfig(**{**CONFIG.to_dict(), "channels": 1}))
    assert Inpainter(grey).transform(pixels).shape == (3, 1, 16, 16)


def test_many_images_are_painted_as_each_alone(model: ImageET, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attractor.tasks.inpainting.sketches.IMAGES", 3)
    images, inpainter = pictures(8), Inpainter(model)
    alone = torch.cat([inpainter.transform(image[None], half()) for image in images])
    torch.testing.assert_close(inpainter.transform(images, half()), alone)


def test_score_is_the_mean_psnr_of_hidden_pixels(model: ImageET) -> None:
    images, inpainter = pictures(4), Inpainter(model)
    filled = inpainter.transform(images, half())
    expected = psnr(hidden_mse(images, filled, half().expand(4, -1, -1))).mean()
    assert inpainter.score(images, half()) == pytest.approx(float(expected), abs=1e-4)


def test_the_trace_ends_where_the_painting_does(model: ImageET) -> None:
    images, inpainter = pictures(2), Inpainter(model, steps=5)
    walk = inpainter.trace(images, half())
    assert len(walk.energies["total"]) == 6
    torch.testing.assert_close(walk.frames[-1], inpainter.transform(images, half()), atol=1e-5, rtol=0)
    line = torch.zeros(160, 160, dtype=torch.bool)
    line[:, 50] = True
    with pytest.raises(InputError, match="too thin"):
        inpainter.trace(pictures(1, 160, 160), line)
    with pytest.raises(InputError, match="one at a time"):
        Inpainter(model, size="own").trace([pictures(1)[0], pictures(1, 32, 16)[0]])


def test_fit_learns_and_leaves_the_given_model_alone(model: ImageET) -> None:
    colours = pictures(24, 1, 1).expand(-1, -1, 16, 16)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fitted = Inpainter(model, epochs=30, lr=2e-2).fit(colours)
    assert fitted.score(colours, "block") > Inpainter(model).score(colours, "block") + 3
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert fitted.split_ == {"train_images": 24, "val_images": 0} and len(fitted.history_) == 30


def test_the_seed_decides_everything_and_a_resume_nothing(model: ImageET, tmp_path: Path) -> None:
    runs = []
    for seed in (3, 3, 4):
        torch.rand(5)  # what was drawn before must not matter
        runs.append(Inpainter(model, epochs=1, seed=seed).fit(pictures(8)).transform(pictures(2), half()))
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])
    Inpainter(model, epochs=1, seed=3).fit(pictures(8), checkpoint=str(tmp_path))
    resumed = Inpainter(model, epochs=1, seed=3).fit(pictures(8), checkpoint=tmp_path, resume=True)
    assert torch.equal(resumed.transform(pictures(2), half()), runs[0])
    with pytest.raises(InputError, match="images"):
        Inpainter(model, epochs=1, seed=3).fit(1 - pictures(8), checkpoint=tmp_path, resume=True)


def test_what_is_saved_paints_as_before_and_is_a_models_folder(model: ImageET, tmp_path: Path) -> None:
    inpainter = Inpainter(model, steps=3, size="own", rule="guaranteed", seed=5)
    folder = inpainter.save(tmp_path / "saved")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    loaded = Inpainter.load(folder)
    kept = {name: value for name, value in inpainter.get_params(deep=False).items() if name != "model"}
    assert {name: value for name, value in loaded.get_params(deep=False).items() if name != "model"} == kept
    assert torch.equal(loaded.transform(pictures(2), half()), inpainter.transform(pictures(2), half()))
    assert load_model(folder).config == CONFIG
    assert torch.equal(
        Inpainter(folder).transform(pictures(2), half()), Inpainter(model).transform(pictures(2), half())
    )


def test_a_foreign_folder_is_refused(model: ImageET, tmp_path: Path) -> None:
    folder = Inpainter(model).save(tmp_path / "saved")
    config = json.loads((folder / "config.json").read_text())
    for change, word in (
        ({"task": "AnomalyDetector"}, "holds a fitted AnomalyDetector"),
        ({"format": 2}, "fit it again"),
        ({"inpainter": {"colour": 1}}, "colour"),
        ({"inpainter": {"rule": "magic"}}, "magic"),
        ({"inpainter": {"steps": "many"}}, "steps is 'many'"),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(InputError, match=word):
            Inpainter.load(folder)
    save_model(Selyne(SelyneConfig(dim=16, heads=2, depth=1, latent=4, prototypes=1)), tmp_path / "selyne")
    with pytest.raises(InputError, match="not a ImageET"):
        Inpainter(tmp_path / "selyne").transform(pictures(1), half())


def test_the_constructor_only_stores(tmp_path: Path) -> None:
    inpainter = Inpainter("nonsense", rule="nonsense", size="nonsense", epochs=-1)
    assert clone(inpainter).get_params() == inpainter.get_params()
    for options, word in (
        ({"model": tmp_path / "none"}, "none"),
        ({"rule": "nonsense"}, "nonsense"),
        ({"size": "huge"}, "huge"),
        ({"steps": -1}, "steps is -1"),
        ({"pretrained": False}, "call fit"),
    ):
        with pytest.raises(InputError, match=word):
            Inpainter(**options).transform(pictures(1), half())
    with pytest.raises(InputError, match="epochs"):
        Inpainter(ImageET(CONFIG), epochs=0).fit(pictures(2))


def test_another_model_is_taken_until_one_is_fitted(model: ImageET) -> None:
    torch.manual_seed(1)
    other, images = ImageET(model.config), torch.rand(2, 3, 16, 16)
    inpainter = Inpainter(model, epochs=1)
    first = inpainter.transform(images)
    assert not torch.equal(inpainter.set_params(model=other).transform(images), first)
    assert torch.equal(inpainter.set_params(model=model).transform(images), first)
    fitted = inpainter.fit(images).transform(images)
    assert torch.equal(inpainter.set_params(model=other).transform(images), fitted)


def test_unreadable_files_are_left_out_of_fit_and_named_by_transform(model: ImageET, tmp_path: Path) -> None:
    for i, image in enumerate((pictures(3) * 255).byte().permute(0, 2, 3, 1).numpy()):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_text("no picture")
    fitted = Inpainter(model, epochs=1).fit(tmp_path)
    assert [Path(error.path).name for error in fitted.unreadable_] == ["1.png"]
    with pytest.raises(InputError, match=r"1\.png"):
        fitted.transform(tmp_path)
    left_out: list = []
    assert [painting.index for painting in fitted.paint(tmp_path, unreadable=left_out)] == [0, 2]
    assert len(left_out) == 1
    with pytest.raises(InputError, match="none of the 1 images"):
        fitted.fit([tmp_path / "1.png"])


@pytest.mark.parametrize(
    ("mask", "word"),
    [
        (torch.zeros(16, 16, dtype=torch.bool), "hides nothing"),
        (torch.ones(16, 16, dtype=torch.bool), "hides everything"),
        (torch.ones(8, 8, dtype=torch.bool), "16 x 16 pixels, its mask 8 x 8"),
        (torch.ones(16, 16), "give bool"),
        (torch.eye(16, dtype=torch.bool).expand(3, 16, 16), "3 masks for 2 images"),
        (torch.arange(256).reshape(16, 16) % 3 == 0, r"no patch of 4 pixels is left whole"),
        ("corner", "'block'"),
    ],
)
def test_masks_that_do_not_fit_get_one_line(model: ImageET, mask: object, word: str) -> None:
    with refusal(match=word):
        Inpainter(model).transform(pictures(2), mask)
