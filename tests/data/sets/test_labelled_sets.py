"""Sets in memory by name."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from local_server import NOWHERE
from miniatures import CLASSES, as_folder, as_tar, as_zip, cifar10_files, flat, tiny_imagenet_files

from attractor.data import labelled
from attractor.data.sets import cifar10, imagenet, stl10, tiny_imagenet
from attractor.data.sets.labelled_sets import labelled_set
from attractor.data.sources import ImageSource
from attractor.errors import InputError

TINY = tiny_imagenet_files()


def test_the_official_tiny_imagenet(served, sets_from, tmp_path: Path, monkeypatch) -> None:
    folder, _ = served
    path = as_zip(folder / tiny_imagenet.ARCHIVE, TINY)
    monkeypatch.setattr(tiny_imagenet, "CHECKSUM", "md5:" + hashlib.md5(path.read_bytes()).hexdigest())
    train = labelled_set("tiny-imagenet", tmp_path / "sets", "train", (8, 8))
    assert train.classes == ["n01", "n02"] and train.labels.tolist() == [0, 0, 1, 1]
    assert train.images[:, 0, 0, 0].tolist() == [10, 11, 20, 21]
    sets_from(NOWHERE)
    val = labelled_set("tiny-imagenet", tmp_path / "sets", "val", (8, 8))
    assert val.labels.tolist() == [1, 0] and val.images[:, 0, 0, 0].tolist() == [20, 10]


@pytest.mark.parametrize("name", ["tiny-imagenet", "tiny-imagenet-200"])
@pytest.mark.parametrize("pack", [as_folder, as_tar])
def test_a_tiny_imagenet_that_lies_there(tmp_path: Path, pack, name: str) -> None:
    files = {file.replace("tiny-imagenet-200", name, 1): content for file, content in TINY.items()}
    pack(tmp_path / (f"{name}.tar" if pack is as_tar else "."), files)
    assert labelled_set("tiny-imagenet", tmp_path, "val", (8, 8)).labels.tolist() == [1, 0]


def test_another_archive_of_the_official_name_is_used_and_that_is_said(tmp_path: Path, capsys) -> None:
    as_zip(tmp_path / tiny_imagenet.ARCHIVE, TINY)
    assert len(labelled_set("tiny-imagenet", tmp_path, "train", (8, 8)).labels) == 4
    assert "not the published archive" in capsys.readouterr().err


def test_cifar10_from_records(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    as_tar(tmp_path / cifar10.ARCHIVE, cifar10_files(pixels, [2, 1, 0, 2, 1, 0]))
    train = labelled_set("cifar10", tmp_path, "train", (32, 32))
    assert train.classes == CLASSES and train.labels.tolist() == [2, 1, 0, 2, 1]
    assert (train.images.permute(0, 2, 3, 1).numpy() == pixels[:5]).all()


def test_imagenet_is_put_there_by_hand(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"imagenet/train is missing; .*image-net.org.* train/WNID/"):
        labelled_set("imagenet", tmp_path, "train")
    as_folder(tmp_path, {f"imagenet/{s}/{w}/1.JPEG": flat(7, "JPEG") for s in ("train", "val") for w in ("n01", "n02")})
    assert labelled_set("imagenet", tmp_path, "val", (4, 4)).labels.tolist() == [0, 1]
    assert imagenet.imagenet(tmp_path) == tmp_path / "imagenet"


@pytest.mark.parametrize(("name", "split"), [("cifar10", "val"), ("imagenet", "test"), ("mnist", "train")])
def test_other_names_and_splits(tmp_path: Path, name: str, split: str) -> None:
    with pytest.raises(InputError, match=rf"no images of {name} {split}; .* cifar10 \(train or test\)"):
        labelled_set(name, tmp_path, split)


@pytest.mark.parametrize("module", [stl10, cifar10, tiny_imagenet])
def test_published_checksums_are_well_formed(module) -> None:
    kind, digits = module.CHECKSUM.split(":")
    assert len(bytes.fromhex(digits)) == hashlib.new(kind).digest_size


@pytest.mark.parametrize(("split", "count"), [("train", 20_000), ("val", 10_000)])
def test_the_shared_tiny_imagenet_has_its_numbers(shared_data: Path, monkeypatch, split: str, count: int) -> None:
    def undecoded(source: ImageSource, *_: object) -> tuple[list[int], torch.Tensor]:
        return list(range(len(source))), torch.empty(len(source), 0)

    monkeypatch.setattr(labelled, "load_images", undecoded)
    found = labelled_set("tiny-imagenet", shared_data, split)
    assert len(found.classes) == 200 and found.labels.bincount().tolist() == [count // 200] * 200
