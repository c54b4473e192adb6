"""Rows of in-painting on miniatures: weights that ship, weights of one's own, and a recipe that is trained first."""

from pathlib import Path

import numpy as np
import pytest
import torch
from measured_parts import begins, by_part, weights_of
from miniatures import as_folder, as_tar, as_zip, cifar10_files, flat, tiny_imagenet_files

from attractor.data.sets import cifar10, tiny_imagenet
from attractor.data.sets.labelled_sets import labelled_set
from attractor.errors import InputError
from attractor.files import read_json
from attractor.models import ImageET, ImageETConfig
from attractor.models.store import model_folder, save_model
from attractor.reproduce.inpainting import Inpainting
from attractor.tasks import Inpainter
from attractor.training import recipe

SIZES = "{image_size: [8, 8], patch: 2, dim: 8, heads: 2, head_dim: 4, memories: 8, steps: 2, step_size: 0.1}"
RECIPE = f"name: toy\nmodel: {SIZES}\ndata: x\nepochs: 1\nbatch_size: 4\nwarmup_epochs: 0\nshift: 1\n"
MASKS = ("random patches", "central block")


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recipe, "TRAINING", tmp_path)
    for name in ("et-cifar", "et-base"):
        (tmp_path / f"{name}.yaml").write_text(RECIPE)


def test_shipped_weights_and_those_of_the_user(sets: Path, measured, tmp_path: Path) -> None:
    as_zip(sets / tiny_imagenet.ARCHIVE, tiny_imagenet_files())
    row = measured("et-tiny-imagenet")
    runs = by_part(row)
    assert weights_of(row) == {begins(model_folder("et-tiny") / "model.safetensors")}
    images = labelled_set("tiny-imagenet", sets, "val", (64, 64)).images
    for name, mask in zip(MASKS, (None, "block"), strict=True):
        assert runs["et-tiny", name] == {f"psnr, {name}": Inpainter().score(images, mask, share=0.5, seed=3)}
    with pytest.raises(InputError, match="holds 'et-tiny' with other settings; choose another --output"):
        measured("et-tiny-imagenet", model="elsewhere")
    (tmp_path / "out" / "et-tiny-imagenet.json").unlink()
    save_model(ImageET(ImageETConfig(image_size=(16, 16), patch=4, dim=8, heads=2, head_dim=4)), tmp_path / "own")
    own = measured("et-tiny-imagenet", model=str(tmp_path / "own"))
    assert own["command"] == f"attractor reproduce et-tiny-imagenet --data DIR --model {tmp_path}/own --seeds 3"
    assert by_part(own)["et-tiny", MASKS[0]] != runs["et-tiny", MASKS[0]]


@pytest.mark.usefixtures("recipes")
def test_cifar10_is_trained_once_and_painted_under_both_masks(sets: Path, measured, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
    as_tar(sets / cifar10.ARCHIVE, cifar10_files(pixels, [i % 3 for i in range(12)]))
    row = measured("et-cifar")
    runs = by_part(row)
    work = tmp_path / "out" / "et-cifar" / "et-cifar-seed-3"
    assert weights_of(row) == {begins(work / "model.safetensors")}
    result = read_json(work / "result.json")
    assert len(result["history"]) == 1 and (result["seed"], result["train_images"], result["val_images"]) == (3, 10, 2)
    assert {"hours", "recipe", "val_psnr_random", "versions", "git_revision"} <= set(result)
    assert (work / "training.png").exists() and not (work / "checkpoint.pt").exists()
    test = torch.from_numpy(pixels[10:]).permute(0, 3, 1, 2)
    trained = Inpainter.load(work)
    images = labelled_set("cifar10", sets, "test", (8, 8)).images
    assert len(images) == len(test)
    for name, mask in zip(MASKS, (None, "block"), strict=True):
        assert runs["et-cifar", name] == {f"psnr, {name}": trained.score(images, mask, share=0.85, seed=3)}


@pytest.mark.usefixtures("recipes")
def test_imagenet_from_its_folders(sets: Path, measured) -> None:
    with pytest.raises(InputError, match=r"imagenet/train is missing; .*image-net.org"):
        measured("et-imagenet")
    files = {
        f"imagenet/{s}/{w}/{i}.JPEG": flat(9 * i, "JPEG") for s in ("train", "val") for w in "ab" for i in range(3)
    }
    as_folder(sets, files)
    assert list(by_part(measured("et-imagenet"))) == [("et-base", name) for name in MASKS]


@pytest.mark.usefixtures("recipes")
def test_weights_in_place_of_a_recipe_are_refused(measured) -> None:
    with pytest.raises(InputError, match="et-cifar: takes no model from elsewhere; leave out --model"):
        measured("et-cifar", model="et-tiny")


def test_a_seed_has_its_own_training(sets: Path, tmp_path: Path, recipes) -> None:
    as_zip(sets / tiny_imagenet.ARCHIVE, tiny_imagenet_files())
    kind = Inpainting("tiny-imagenet", sets, tmp_path / "work")
    one, two, again = (kind.painter({"recipe": "et-base"}, seed).ready() for seed in (0, 1, 0))
    assert not torch.equal(*(next(model.parameters()) for model in (one, two)))
    assert torch.equal(*(next(model.parameters()) for model in (one, again)))
