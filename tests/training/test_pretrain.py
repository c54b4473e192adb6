"""Pretraining: recipes, the three losses, and the models a run leaves behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from toys import SIZES, labelled, pretraining, recipe

from attractor.errors import InputError
from attractor.models import ImageET, ImageETConfig
from attractor.models.store import load_model, save_model
from attractor.scoring.reconstruction import reconstruction_energy
from attractor.training.loop import train
from attractor.training.pretrain import Pretraining, PretrainRecipe

PLAIN = {"magnitude": 0, "erasing": 0.0, "mixup": 0.0, "padding": 0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pretraining, list[dict[str, float]], Path]:
    """A short run that can learn: colours in three classes, hardly augmented."""
    folder = tmp_path_factory.mktemp("pretraining")
    settings = recipe(epochs=8, keep_patches=1.0, repaint=1.0, augmentation=PLAIN)
    objective = pretraining(settings)
    return objective, train(objective, settings.schedule(), folder), folder


def test_all_three_losses_fall(trained) -> None:
    _, history, _ = trained
    for name in ("loss", "reconstruction", "classification", "prototypes"):
        assert history[-1][f"train_{name}"] < history[0][f"train_{name}"], name
    assert history[-1]["train_accuracy"] > history[0]["train_accuracy"]


def test_best_and_final_are_written_and_load(trained) -> None:
    objective, history, folder = trained
    final, best = load_model(folder / "final"), load_model(folder / "best")
    torch.testing.assert_close(final.state_dict(), objective.model.state_dict(), rtol=0, atol=0)
    objective.model.load_state_dict(best.state_dict())
    accuracy = objective.eval().validate()["val_accuracy"]
    objective.model.load_state_dict(final.state_dict())
    assert accuracy == max(row["val_accuracy"] for row in history)


def test_validation_is_the_mean_over_all_images_and_leaves_the_generators_alone(trained) -> None:
    objective, history, _ = trained
    objective.eval()
    before = torch.get_rng_state()
    found = objective.validate()
    assert torch.equal(torch.get_rng_state(), before)
    terms, logits = objective.losses(objective.model.normalize(objective.val_images), objective.val_labels)
    for name, value in terms.items():
        assert found[f"val_{name}"] == pytest.approx(value.item(), rel=1e-5)
    assert found["val_loss"] == pytest.approx(sum(v.item() for v in terms.values()), rel=1e-5)
    assert found["val_accuracy"] == (logits.argmax(-1) == objective.val_labels).float().mean().item()
    assert {k: history[-1][k] for k in found} == pytest.approx(found, rel=1e-5)


def test_losses_are_the_published_ones_with_smoothing_on_the_classes_only() -> None:
    objective = pretraining(recipe()).eval()
    model, images, labels = objective.model, torch.randn(5, 3, 16, 16), torch.tensor([0, 1, 2, 0, 1])
    terms, logits = objective.losses(images, labels)
    encoding, reconstruction, expected = model(images)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(terms["reconstruction"], reconstruction_energy(images, reconstruction).mean())
    torch.testing.assert_close(terms["classification"], F.cross_entropy(expected, labels, label_smoothing=0.03))
    torch.testing.assert_close(terms["prototypes"], F.cross_entropy(model.prototype_logits(encoding.z), labels))


def test_total_is_weighted_by_name() -> None:
    objective = pretraining(recipe(weights={"reconstruction": 0.5, "classification": 2.0, "prototypes": 0.0}))
    terms = {name: torch.tensor(v) for name, v in [("prototypes", 5.0), ("reconstruction", 3.0), ("classification", 1)]}
    assert objective.total(terms).item() == 0.5 * 3 + 2


def test_repaint_reconstructs_the_first_share_of_the_batch() -> None:
    objective = pretraining(recipe()).eval()
    images, labels = torch.randn(5, 3, 16, 16), torch.tensor([0, 1, 2, 0, 1])
    some, logits = objective.losses(images, labels, repaint=0.4)
    torch.testing.assert_close(some["reconstruction"], objective.losses(images[:2], labels[:2])[0]["reconstruction"])
    assert len(logits) == 5


def test_grey_images_with_the_full_augmentation_train() -> None:
    settings = recipe(model=SIZES | {"channels": 1}, epochs=2)
    history = train(pretraining(settings), settings.schedule())
    assert all(torch.isfinite(torch.tensor(row["train_loss"])) for row in history)


def test_splits_with_different_classes_and_images_of_another_size_are_refused() -> None:
    other = dataclasses.replace(labelled(6), classes=["a", "b", "d"])
    with pytest.raises(InputError, match="train and val have different classes"):
        Pretraining(recipe(), labelled(6), other)
    with pytest.raises(InputError, match=r"\(B, 3, 32, 32\)"):
        Pretraining(recipe(model=SIZES | {"image_size": [32, 32]}), labelled(6), labelled(6))


def test_the_defaults_are_the_published_setting() -> None:
    settings = PretrainRecipe(name="published", data="tiny-imagenet")
    schedule = settings.schedule()
    assert (schedule.lr, schedule.weight_decay, schedule.batch_size, schedule.clip) == (5e-4, 0.05, 64, 5.0)
    assert (schedule.warmup_epochs, schedule.patience, settings.label_smoothing) == (5, 20, 0.03)
    assert settings.augmentation.model_dump() == {
        "padding": 8, "operations": 2, "magnitude": 9, "erasing": 0.25, "mixup": 0.5, "mixup_alpha": 0.2,
        "jitter": 0, "grey": 0, "blur": 0,
    }  # fmt: skip
    assert settings.config(classes=200).to_dict() == settings.config(classes=7).to_dict() | {"classes": 200}


def test_every_field_the_schedule_shares_reaches_it() -> None:
    values = {
        "epochs": 2,
        "batch_size": 3,
        "lr": 0.1,
        "weight_decay": 0.2,
        "warmup_epochs": 1.5,
        "clip": 2.0,
        "patience": 4,
        "seed": 9,
    }
    schedule = recipe(**values, precision="bf16").schedule()
    assert {name: getattr(schedule, name) for name in values} == values and schedule.precision == "bf16"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"epochs": 0}, "epochs"),
        ({"lr": -1}, "lr"),
        ({"speed": 1}, "speed"),
        ({"precision": "fp16"}, "precision"),
        ({"keep_patches": 0}, "keep_patches"),
        ({"augmentation": {"magnitude": 30}}, "augmentation.magnitude"),
        ({"augmentation": {"erasing": 2}}, "augmentation.erasing"),
        ({"augmentation": {"blur": 2}}, "augmentation.blur"),
        ({"label_smoothing": 1}, "label_smoothing"),
    ],
)
def test_bad_recipes_are_refused_in_one_line(change: dict, named: str) -> None:
    with pytest.raises(InputError) as caught:
        PretrainRecipe.parse({"name": "a", "data": "b", **change}, "recipe.yaml")
    assert str(caught.value).startswith(f"recipe.yaml: {named}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [None, [], "text", {}, {"name": "a"}])
def test_what_is_no_recipe_is_refused(values: object) -> None:
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        PretrainRecipe.parse(values, "recipe.yaml")


def test_a_model_by_name_or_by_sizes_and_neither() -> None:
    assert recipe(model="selyne-tiny").config(5).dim == 192
    assert recipe(model={"dim": 24, "heads": 3}).config(5).classes == 5
    with pytest.raises(InputError, match=r"r\.yaml: no Selyne named 'selyne-huge'"):
        PretrainRecipe.parse({"name": "a", "data": "b", "model": "selyne-huge"}, "r.yaml")


def test_weights_to_start_from_are_seen_to_fit_before_the_images(tmp_path: Path) -> None:
    first = pretraining(recipe()).model
    save_model(first, tmp_path / "first")
    settings = recipe(start=str(tmp_path / "first"))
    settings.require_start()
    torch.testing.assert_close(pretraining(settings).model.state_dict(), first.state_dict(), rtol=0, atol=0)
    with pytest.raises(InputError, match=r"^start: .*first \(Selyne, classes 3\) does not fit the recipe's model"):
        settings.network(5)
    other = recipe(start=str(tmp_path / "first"), model=SIZES | {"dim": 24, "latent": 8})
    said = r"first \(Selyne, dim 12, latent 6\) does not fit .* \(Selyne, dim 24, latent 8\)$"
    with pytest.raises(InputError, match=said):
        other.require_start()
    save_model(ImageET(ImageETConfig(image_size=(16, 16), patch=4, dim=8, heads=2, head_dim=4)), tmp_path / "painter")
    with pytest.raises(InputError, match=r"painter \(ImageET\) does not fit the recipe's model \(Selyne\)$"):
        recipe(start=str(tmp_path / "painter")).require_start()
    with pytest.raises(InputError, match=r"^start: no pretrained model .*nowhere"):
        recipe(start=str(tmp_path / "nowhere")).require_start()
