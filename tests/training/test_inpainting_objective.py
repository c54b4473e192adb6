"""Training to in-paint: the loss is on what is hidden, a few images are learned, a killed run resumes to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from attractor.errors import InputError
from attractor.models import ImageET
from attractor.models.patches import patchify
from attractor.models.store import load_model, save_model
from attractor.scoring.inpainting import hidden_mse, psnr
from attractor.training.inpainting import Inpainting, InpaintRecipe
from attractor.training.loop import train
from refusals import refusal

SIZES = {"image_size": [16, 16], "patch": 4, "dim": 16, "heads": 2, "head_dim": 8, "memories": 16, "steps": 2}


def recipe(**changes: object) -> InpaintRecipe:
    values = {"name": "toy", "data": "toy", "model": SIZES, "epochs": 3, "batch_size": 5, "lr": 1e-2, "final_lr": 0.0}
    return InpaintRecipe.model_validate({**values, "warmup_epochs": 0.5, "precision": "fp32", **changes})


def pictures(count: int) -> Tensor:
    """Flat colours with a brighter half: what is hidden can be told from what is not."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 200, (count, 3, 1, 1), generator=generator).expand(-1, -1, 16, 16).clone()
    images[..., 8:] += 40
    return images.to(torch.uint8)


def objective(settings: InpaintRecipe, val: int = 4) -> Inpainting:
    torch.manual_seed(settings.seed)
    return Inpainting(settings, pictures(12), pictures(val) if val else None)


def test_the_loss_is_the_error_on_hidden_patches_alone() -> None:
    run = objective(recipe(shift=0))
    hidden, replaced = torch.rand(12, 16) < 0.5, torch.rand(12, 16) < 0.2
    run.hide = lambda count: (hidden, replaced)  # type: ignore[method-assign]
    run.augment = torch.nn.Identity()
    loss, terms = run(torch.arange(12))
    images = run.model.normalize(pictures(12))
    error = (run.model(images, replaced) - patchify(images, 4)).square()
    torch.testing.assert_close(loss, error[hidden].mean())
    assert terms["mse"] is loss


def test_masks_are_blocks_and_patches_in_their_shares_and_some_are_left_in() -> None:
    run = objective(recipe(hiding={"share": 0.25, "blocks": 0.3, "left": 0.1}))
    hidden, replaced = run.hide(4000)
    assert not (replaced & ~hidden).any()
    assert replaced.sum() / hidden.sum() == pytest.approx(0.9, abs=0.01)
    blocks = [bool((h.any(1)[:, None] & h.any(0) == h).all()) for h in hidden.unflatten(1, (4, 4))]
    assert sum(blocks) / 4000 == pytest.approx(0.3, abs=0.05)  # four patches at random are a block now and then
    patches, _ = objective(recipe(hiding={"blocks": 0.0})).hide(10)
    assert (patches.sum(dim=1) == 8).all()


def test_training_masks_differ_from_step_to_step() -> None:
    run = objective(recipe())
    assert not torch.equal(run.hide(12)[0], run.hide(12)[0])


def test_simple_pictures_are_learned() -> None:
    settings = recipe(epochs=20, lr=2e-2)
    run = objective(settings)
    before = run.validate()
    after = train(run, settings.schedule())[-1]
    assert set(before) == {"val_psnr_random", "val_psnr_block"}
    assert all(after[name] > value + 4 for name, value in before.items())


def test_validation_is_the_same_each_time_and_measures_hidden_pixels() -> None:
    run = objective(recipe()).eval()
    state = torch.get_rng_state()
    found = run.validate()
    assert run.validate() == found and torch.equal(torch.get_rng_state(), state)
    images, pixels = pictures(4).float() / 255, torch.zeros(4, 16, 16, dtype=torch.bool)
    pixels[:, 4:12, 4:12] = True
    hidden = pixels[:, ::4, ::4].flatten(1)
    filled = run.model.denormalize(run.model.inpaint(run.model.normalize(images), hidden))
    expected = psnr(hidden_mse(images, filled, pixels)).mean().item()
    assert found["val_psnr_block"] == pytest.approx(expected, abs=1e-4)
    assert objective(recipe(), val=0).validate() == {}


class Killed(Exception):
    """In place of a signal."""


@pytest.mark.parametrize("step", [1, 5])
def test_a_killed_run_resumes_to_the_bit(tmp_path: Path, step: int) -> None:
    schedule = replace(recipe().schedule(), checkpoint_seconds=0)
    whole = train(objective(recipe()), schedule, tmp_path / "whole")
    run, left = objective(recipe()), step

    def after_step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    run.after_step = after_step  # type: ignore[method-assign]
    with pytest.raises(Killed):
        train(run, schedule, tmp_path / "killed")
    torch.rand(7)  # the process that goes on has drawn other numbers
    resumed = train(objective(recipe()), schedule, tmp_path / "killed", resume=True)
    for row in [*whole, *resumed]:
        row.pop("seconds")
    assert resumed == whole
    weights = [(tmp_path / run / "final" / "model.safetensors").read_bytes() for run in ("whole", "killed")]
    assert weights[0] == weights[1]
    assert isinstance(load_model(tmp_path / "killed" / "final"), ImageET)


def test_a_resume_with_another_recipe_is_refused(tmp_path: Path) -> None:
    train(objective(recipe()), recipe().schedule(), tmp_path)
    other = recipe(hiding={"share": 0.4})
    with pytest.raises(InputError, match="hiding"):
        train(objective(other), other.schedule(), tmp_path, resume=True)


def test_the_defaults_are_the_published_setting() -> None:
    settings = InpaintRecipe(name="published", data="imagenet")
    schedule, config = settings.schedule(), settings.config()
    assert (schedule.lr, schedule.final_lr, schedule.weight_decay, schedule.betas) == (5e-4, 5e-7, 0.05, (0.9, 0.99))
    assert (schedule.batch_size, schedule.warmup_epochs, schedule.clip, schedule.epochs) == (768, 2, 1.0, 100)
    assert (config.dim, config.heads, config.head_dim, config.memories) == (768, 12, 64, 3072)
    assert (config.image_size, config.patch, config.steps, config.step_size) == ((224, 224), 16, 12, 0.1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"hiding": {"share": 1}}, "hiding.share"),
        ({"shift": -1}, "shift"),
        ({"shift": 224}, "shift"),
        ({"speed": 1}, "speed"),
    ],
)
def test_bad_recipes_are_refused_in_one_line(change: dict, named: str) -> None:
    with refusal(match=rf"^r\.yaml: {named}: "):
        InpaintRecipe.parse({"name": "a", "data": "b", **change}, "r.yaml")


def test_images_that_the_patch_does_not_divide_are_refused() -> None:
    with pytest.raises(InputError, match="multiples of 4"):
        Inpainting(recipe(), torch.zeros(2, 3, 18, 16, dtype=torch.uint8))


@pytest.mark.parametrize(("name", "value"), [("lr", float("nan")), ("clip", float("inf")), ("betas", [0.9, 1.0])])
def test_settings_that_no_run_survives_are_named(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        InpaintRecipe.parse({"name": "toy", "data": "d", name: value}, "recipe.yaml")


def test_a_shift_beyond_the_image_is_refused() -> None:
    with pytest.raises(InputError, match="shift: must be smaller than the images, 16 x 8, not 8"):
        Inpainting(recipe(shift=8), torch.zeros(2, 3, 16, 8, dtype=torch.uint8))


def test_a_recipe_starts_from_the_weights_it_names(tmp_path: Path) -> None:
    first = objective(recipe()).model
    save_model(first, tmp_path / "first")
    torch.manual_seed(1)
    started = recipe(start=str(tmp_path / "first")).network()
    torch.testing.assert_close(started.state_dict(), first.state_dict(), rtol=0, atol=0)
    with pytest.raises(InputError, match="nowhere"):
        recipe(start=str(tmp_path / "nowhere")).network()
