"""Rows of pretraining on the official archive in miniature, by a recipe small enough for seconds."""

import json
from pathlib import Path

import pytest
from commands import TINY
from measured_parts import begins, by_part, weights_of
from miniatures import as_zip, tiny_imagenet_files

from attractor.data.sets import tiny_imagenet
from attractor.errors import InputError
from attractor.files import read_json
from attractor.models.store import load_model
from attractor.reproduce import pretraining
from attractor.reproduce.pretraining import trained
from attractor.training import recipe
from attractor.training.checkpoint import load_checkpoint


@pytest.fixture
def with_recipe(sets: Path, tmp_path: Path, monkeypatch) -> Path:
    as_zip(sets / tiny_imagenet.ARCHIVE, tiny_imagenet_files())
    monkeypatch.setattr(recipe, "TRAINING", tmp_path)
    sizes = json.dumps(TINY.to_dict())
    (tmp_path / "selyne-base.yaml").write_text(
        f"name: toy\nmodel: {sizes}\ndata: x\nepochs: 2\nwarmup_epochs: 1\nbatch_size: 2\n"
    )
    return sets


def test_the_best_epoch_counts(with_recipe: Path, measured, tmp_path: Path) -> None:
    row = measured("selyne-pretrain")
    ((key, values),) = by_part(row).items()
    work = tmp_path / "out" / "selyne-pretrain" / "selyne-base-seed-3"
    result = read_json(work / "result.json")
    history = result["history"]
    assert weights_of(row) == {begins(work / "best" / "model.safetensors", work / "best" / "background.safetensors")}
    assert (result["seed"], result["train_images"], result["val_accuracy"]) == (3, 4, values["val_accuracy"])
    assert {"hours", "recipe", "best_epoch", "versions", "git_revision"} <= set(result)
    assert key == ("selyne-base", "") and len(history) == 2
    best = max(history, key=lambda row: row["val_accuracy"])
    assert values == {name: best[name] for name in ("val_accuracy", "val_reconstruction")}
    assert (work / "training_losses.png").exists() and load_model(work / "best").config.classes == 2


def test_an_interrupted_training_goes_on(with_recipe: Path, tmp_path: Path, monkeypatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pretraining, "write_training_figures", stop)
    with pytest.raises(KeyboardInterrupt):
        trained("selyne-base", with_recipe, tmp_path / "work")
    before = load_checkpoint(tmp_path / "work" / "checkpoint.pt")["progress"]["history"]
    monkeypatch.setattr(pretraining, "write_training_figures", lambda *_: None)
    assert trained("selyne-base", with_recipe, tmp_path / "work") == tmp_path / "work" / "best"
    assert read_json(tmp_path / "work" / "result.json")["history"] == before  # nothing was trained a second time
    assert not (tmp_path / "work" / "checkpoint.pt").exists()


def test_weights_in_place_of_a_training_are_refused(measured) -> None:
    with pytest.raises(InputError, match="selyne-base: takes no model from elsewhere"):
        measured("selyne-pretrain", model="selyne-tiny")
