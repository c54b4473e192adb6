"""The published one-class tasks: which images, in which order, with which truth."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from miniatures import CLASSES, as_folder, as_tar, as_zip, brain_files, cifar10_files, flat, stl10_files, tile_files

from attractor.data.sets import cifar10, one_class, stl10, unpacking
from attractor.data.sets.one_class import one_class_splits
from attractor.errors import InputError
from refusals import refusal


def refused(name: str, folder: Path, *said: str) -> None:
    with refusal(*said):
        list(one_class_splits(name, folder))


def test_stl10_has_every_class_normal_in_turn(tmp_path: Path) -> None:
    labels = {"train": [2, 1, 3, 1], "test": [3, 3, 1]}
    images = {split: np.zeros((len(y), 96, 96, 3), np.uint8) for split, y in labels.items()}
    images["train"][:, 0, 0, 0] = [0, 1, 2, 3]
    as_tar(tmp_path / stl10.ARCHIVE, stl10_files(images, labels))
    tasks = list(one_class_splits("stl10", tmp_path))
    assert [task.normal for task in tasks] == CLASSES
    assert [[task.train.read(i)[0, 0, 0] for i in range(len(task.train))] for task in tasks] == [[1, 3], [0], [2]]
    assert [task.test.labels.tolist() for task in tasks] == [[1, 1, 0], [1, 1, 1], [0, 0, 1]]
    assert tasks[0].test.categories == ["car", "car", "airplane"] and tasks[0].test.masks == [None] * 3
    assert all(task.test.labels.dtype == np.int64 and len(task.test.source) == 3 for task in tasks)


def test_cifar10_stl_takes_the_first_of_every_class(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(one_class, "TRAIN", 2)
    monkeypatch.setattr(one_class, "TEST", 1)
    files = {f"cifar10/{s}/{c}/{i}.png": flat(i) for s in ("train", "test") for c in ("dog", "cat") for i in range(3)}
    as_tar(tmp_path / "cifar10.tar", files)
    cat, dog = one_class_splits("cifar10-stl", tmp_path)
    root = tmp_path / "cifar10"
    assert (cat.normal, dog.normal) == ("cat", "dog")
    assert cat.train.names == [str(root / f"train/cat/{i}.png") for i in range(2)]
    assert dog.test.source.names == [str(root / f"test/{name}/0.png") for name in ("cat", "dog")]
    assert dog.test.labels.tolist() == [1, 0] and dog.test.categories == ["cat", "dog"]
    monkeypatch.setattr(one_class, "TEST", 4)
    refused("cifar10-stl", tmp_path, "test/cat has 3 images of the 4")


def test_cifar10_stl_from_the_binary_version(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(one_class, "TRAIN", 2)
    monkeypatch.setattr(one_class, "TEST", 1)
    pixels = np.random.default_rng(0).integers(0, 256, (18, 32, 32, 3), np.uint8)
    as_tar(tmp_path / cifar10.ARCHIVE, cifar10_files(pixels, [2, 1, 0] * 6))
    tasks = list(one_class_splits("cifar10-stl", tmp_path))
    assert [task.normal for task in tasks] == CLASSES
    for k, task in enumerate(tasks):
        assert np.array_equal(task.train.read(1), pixels[5 - k]) and len(task.train) == 2
        assert task.test.categories == CLASSES and task.test.labels.tolist() == [int(i != k) for i in range(3)]


@pytest.mark.parametrize("pack", [as_folder, as_zip])
@pytest.mark.parametrize("inside", ["brisc2025/classification_task", "archive/v5/classification_task", "brisc2025"])
def test_brisc2025_as_downloaded(tmp_path: Path, pack, inside: str) -> None:
    files = {**brain_files(inside), "brisc2025/segmentation_task/train/images/x.jpg": flat(0, "JPEG")}
    if pack is as_zip:
        as_zip(tmp_path / "brisc2025.zip", files | {f"__MACOSX/{name}": b"" for name in files})
    else:
        as_folder(tmp_path / "brisc2025", files)
    (task,) = one_class_splits("brisc2025", tmp_path)
    assert task.normal == "no_tumor" and [Path(name).name for name in task.train.names] == [
        "brisc2025_train_0.jpg",
        "brisc2025_train_1.jpg",
    ]
    assert task.test.categories == ["glioma", "meningioma", "no_tumor", "pituitary"]
    assert task.test.labels.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("packed", [True, False])
def test_magnetic_tile_keeps_its_masks(tmp_path: Path, packed: bool) -> None:
    as_tar(tmp_path / "magnetic-tile.tar", tile_files()) if packed else as_folder(tmp_path, tile_files())
    (task,) = one_class_splits("magnetic-tile", tmp_path)
    assert [Path(name).name for name in task.train.names] == ["a.jpg", "b.jpg"]
    assert task.test.categories == ["crack", "good"] and task.test.labels.tolist() == [1, 0]
    assert task.test.masks == [tmp_path / "magnetic-tile/ground_truth/crack/d_mask.png", None]


def test_what_is_missing(tmp_path: Path) -> None:
    refused("brisc2025", tmp_path, "brisc2025 is missing", "Figshare or Kaggle", "brisc2025.zip")
    refused("brain-mri", tmp_path, "brain-mri is missing", "brain-mri.tar")
    refused("magnetic-tile", tmp_path, "magnetic-tile is missing", "magnetic-tile.tar")
    refused("stl10", tmp_path, "stl10_binary.tar.gz cannot be fetched", f"by hand into {tmp_path}")
    as_folder(tmp_path, {"brain-mri/train/no_tumor/1.jpg": flat(0, "JPEG")})
    refused("brain-mri", tmp_path, "0 folders test/no_tumor, not one")
    with pytest.raises(InputError, match="mnist is no one-class set; choose stl10, brisc2025, brain-mri, cifar10-stl"):
        one_class_splits("mnist", tmp_path)


def counts(task: one_class.OneClass) -> tuple[int, dict[str, int]]:
    classes = sorted(set(task.test.categories))
    return len(task.train), {name: task.test.categories.count(name) for name in classes}


def test_the_shared_sets_have_the_numbers_they_are_said_to_have(shared_data: Path, tmp_path: Path) -> None:
    for name in ("brain-mri", "magnetic-tile"):
        (tmp_path / f"{name}.tar").symlink_to(shared_data / f"{name}.tar")
    (brain,) = one_class_splits("brain-mri", tmp_path)
    assert counts(brain) == (1321, {"glioma": 299, "meningioma": 301, "no_tumor": 381, "pituitary": 300})
    (tiles,) = one_class_splits("magnetic-tile", tmp_path)
    train, test = counts(tiles)
    assert train == 761 and test.pop("good") == 191 and sum(test.values()) == 392
    assert sum(mask is not None for mask in tiles.test.masks) == 392


def test_the_shared_cifar10_has_enough_of_every_class(shared_data: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "cifar10.tar").symlink_to(shared_data / "cifar10.tar")
    members, seen = unpacking._tar, Counter()

    def those_of_the_protocol(path: Path) -> Iterator[unpacking.Member]:
        for name, size, content in members(path):  # of all 60,000 files, for speed
            _, split, _, file = name.split("/")
            seen[split] += 1
            if int(file.removesuffix(".jpg")) < {"train": 500, "test": 800}[split]:
                yield name, size, content

    monkeypatch.setattr(unpacking, "_tar", those_of_the_protocol)
    tasks = list(one_class_splits("cifar10-stl", tmp_path))
    assert seen == {"train": 50_000, "test": 10_000}
    assert [len(task.train) for task in tasks] == [500] * 10
    assert all(len(labels := task.test.labels) == 8000 and labels.sum() == 7200 for task in tasks)
