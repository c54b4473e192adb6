"""Rows of detection on miniatures: every class in turn, the scores of the detector, masks, encoders trained first."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import TINY
from measured_parts import begins, by_part, weights_of
from miniatures import CLASSES, as_tar, as_zip, brain_files, cifar10_files, flat, stl10_files, tiny_imagenet_files

from attractor.data.sets import cifar10, one_class, stl10, tiny_imagenet
from attractor.data.sets.one_class import one_class_splits
from attractor.errors import InputError
from attractor.files import read_json
from attractor.models.store import load_model
from attractor.reproduce import detection, pretraining
from attractor.tasks import AnomalyDetector, evaluate_images
from attractor.tasks.detection.baseline import pixel_neighbours
from attractor.training import recipe

LEVELS = np.array([70, 120, 170])
LABELS = {"train": [1, 2, 3] * 12, "test": [3, 1, 2] * 3}


def photographs(labels: list[int], side: int) -> np.ndarray:
    """A class is a level of grey, more or less, with noise."""
    rng = np.random.default_rng(len(labels))
    levels = LEVELS[np.array(labels) - 1] + rng.integers(-40, 40, len(labels))
    return (levels[:, None, None, None] + rng.integers(-20, 20, (len(labels), side, side, 3))).astype(np.uint8)


@pytest.fixture
def unreported(monkeypatch) -> None:
    """Without pictures, which take longer than all else."""
    monkeypatch.setattr(detection, "write_report", lambda *_: None)
    monkeypatch.setattr(pretraining, "write_training_figures", lambda *_: None)


@pytest.fixture
def with_stl10(sets: Path) -> Path:
    as_tar(sets / stl10.ARCHIVE, stl10_files({s: photographs(y, 96) for s, y in LABELS.items()}, LABELS))
    return sets


@pytest.mark.usefixtures("unreported")
def test_stl10_is_what_the_detector_gives(with_stl10, measured, encoder) -> None:
    variant = "one-class tuning, as published"
    result = measured("selyne-stl10", [variant, "attractor"], model=encoder, epochs=1)
    runs = by_part(result)
    assert list(runs) == [(name, normal) for name in (variant, "attractor") for normal in CLASSES]
    assert weights_of(result) == {begins(Path(encoder) / "model.safetensors")}
    for split in one_class_splits("stl10", with_stl10):
        detector = AnomalyDetector(encoder, epochs=1, mirrored=True, calibration=0.05, seed=3).fit(split.train)
        metrics = evaluate_images(detector, split.test, "", bootstrap=1, examples=False).metrics
        expected = {name: values["auroc"] for name, values in metrics.items()}
        assert runs["attractor", split.normal] == {**expected, "pixels": pixel_neighbours(split.train, split.test)}
    assert 0 < runs["attractor", "bird"]["mahalanobis"] < 1  # a tie with any constant would say nothing
    mine = result["summary"][variant]["mahalanobis"]
    assert mine["parts"] == 3 and mine["seeds"] == [3]
    assert mine["mean"] == pytest.approx(np.mean([runs[variant, normal]["mahalanobis"] for normal in CLASSES]))
    assert result["published"][variant]["mahalanobis"] == {"mean": 0.891, "cv_percent": 0.06}


def test_the_first_part_leaves_a_report(sets: Path, measured, encoder, tmp_path: Path) -> None:
    as_tar(sets / "brain-mri.tar", brain_files("brain-mri", 12, 3))
    measured("brain-mri", ["attractor"], model=encoder)
    page = tmp_path / "out" / "brain-mri" / "report" / "index.html"
    assert "brain-mri, no_tumor" in page.read_text()
    page.write_text("the first")
    measured("brain-mri", ["one-class tuning, as published"], model=encoder, epochs=1)
    assert page.read_text() == "the first"


@pytest.mark.usefixtures("unreported")
def test_brisc2025_as_the_zip_it_comes_as(sets: Path, measured, encoder) -> None:
    as_zip(sets / "brisc2025.zip", brain_files("brisc2025/classification_task", 12, 3))
    runs = by_part(measured("selyne-brisc2025", model=encoder, epochs=1))
    assert list(runs) == [("one-class tuning, as published", "no_tumor"), ("attractor", "no_tumor")]
    # each test slice of the miniature has the same twin in every class: no score can tell them apart
    assert all(value == 0.5 for values in runs.values() for value in values.values())


@pytest.mark.usefixtures("unreported")
def test_brain_mri(sets: Path, measured, encoder) -> None:
    as_tar(sets / "brain-mri.tar", brain_files("brain-mri", 12, 3))
    assert list(by_part(measured("brain-mri", ["attractor"], model=encoder))) == [("attractor", "no_tumor")]


@pytest.mark.usefixtures("unreported")
def test_cifar10_by_the_numbers_of_stl10(sets: Path, measured, encoder, monkeypatch) -> None:
    monkeypatch.setattr(one_class, "TRAIN", 10)
    monkeypatch.setattr(one_class, "TEST", 3)
    labels = LABELS["train"] + [1, 2, 3] * 8
    as_tar(sets / cifar10.ARCHIVE, cifar10_files(photographs(labels, 32), [y - 1 for y in labels]))
    runs = by_part(measured("cifar10-stl", model=encoder))
    assert list(runs) == [("attractor", normal) for normal in CLASSES]
    assert runs["attractor", "airplane"]["pixels"] == 1.0 > runs["attractor", "bird"]["combined"] > 0.5


@pytest.mark.usefixtures("unreported")
def test_magnetic_tile_measures_its_masks_too(sets: Path, measured, encoder) -> None:
    good = {
        f"magnetic-tile/{split}/good/{i}.jpg": flat(9 * i, "JPEG") for split in ("train", "test") for i in range(12)
    }
    crack = {
        "magnetic-tile/test/crack/d.jpg": flat(250, "JPEG"),
        "magnetic-tile/ground_truth/crack/d_mask.png": flat(255),
    }
    as_tar(sets / "magnetic-tile.tar", {**good, **crack})
    found = by_part(measured("magnetic-tile", model=encoder, epochs=1))
    assert set(found) == {("damage tuning", "good"), ("attractor", "good")}
    for (variant, _), values in found.items():
        assert values["pixels"] == 1.0 and {"combined", "pixel_auroc", "aupro"} <= set(values)
        assert ("damage" in values) == (variant == "damage tuning")


@pytest.mark.usefixtures("unreported")
def test_an_ablation_trains_its_encoders_first(with_stl10, measured, tmp_path: Path, monkeypatch) -> None:
    as_zip(with_stl10 / tiny_imagenet.ARCHIVE, tiny_imagenet_files())
    monkeypatch.setattr(recipe, "TRAINING", tmp_path)
    for name, attention in (("selyne-tiny", "gloeba"), ("selyne-tiny-standard", "standard")):
        sizes = json.dumps({**TINY.to_dict(), "attention": attention})
        (tmp_path / f"{name}.yaml").write_text(
            f"name: toy\nmodel: {sizes}\ndata: x\nepochs: 1\nbatch_size: 2\nwarmup_epochs: 0\n"
        )
    result = measured("selyne-ablation", epochs=1)
    assert list(by_part(result)) == [(variant, normal) for variant in ("gloeba", "standard") for normal in CLASSES]
    for name, attention in (("selyne-tiny", "gloeba"), ("selyne-tiny-standard", "standard")):
        work = tmp_path / "out" / "selyne-ablation" / name
        assert load_model(work / "best").config.attention == attention
        assert len(read_json(work / "result.json")["history"]) == 1
        made = begins(work / "best" / "model.safetensors", work / "best" / "background.safetensors")
        assert weights_of({"runs": [run for run in result["runs"] if run["variant"] == attention]}) == {made}
    with pytest.raises(InputError, match="gloeba: takes no model from elsewhere; leave out --model"):
        measured("selyne-ablation", model="selyne-tiny")
