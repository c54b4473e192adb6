"""CIFAR-10 in its binary version and as folders of images."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from miniatures import CLASSES, as_folder, as_tar, as_zip, cifar10_files, flat

from attractor.data.sets import cifar10 as module
from attractor.data.sets.cifar10 import cifar10
from attractor.errors import InputError

LABELS = [0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 1, 2]
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
FOLDERS = {f"cifar10/{s}/{c}/{i}.png": flat(i) for s in ("train", "test") for c in CLASSES for i in range(2)}


def test_records_of_the_binary_version(served, tmp_path: Path, monkeypatch) -> None:
    folder, _ = served
    path = as_tar(folder / module.ARCHIVE, cifar10_files(IMAGES, LABELS))
    monkeypatch.setattr(module, "CHECKSUM", "md5:" + hashlib.md5(path.read_bytes()).hexdigest())
    splits = cifar10(tmp_path / "sets")
    for split, part in (("train", slice(0, 10)), ("test", slice(10, 12))):
        found = splits[split]
        assert found.categories == [CLASSES[y] for y in LABELS[part]]
        assert all(np.array_equal(found.source.read(i), image) for i, image in enumerate(IMAGES[part]))


@pytest.mark.parametrize("pack", [as_folder, as_tar, as_zip])
def test_folders_of_images_and_their_archives_are_alike(tmp_path: Path, pack) -> None:
    pack(tmp_path / {as_folder: ".", as_tar: "cifar10.tar", as_zip: "cifar10.zip"}[pack], FOLDERS)
    splits = cifar10(tmp_path)
    for split in ("train", "test"):
        assert splits[split].categories == [name for name in CLASSES for _ in range(2)]
        assert splits[split].source.names == [str(tmp_path / name) for name in FOLDERS if f"/{split}/" in name]


def test_what_is_damaged_or_missing(tmp_path: Path) -> None:
    def refused(said: str) -> None:
        with pytest.raises(InputError, match=said):
            cifar10(tmp_path)
        (tmp_path / f"{module.ARCHIVE}.sha256").unlink(missing_ok=True)

    refused("cannot be fetched.* by hand into")
    files = cifar10_files(IMAGES, LABELS)
    batch = "cifar-10-batches-bin/data_batch_3.bin"
    as_tar(tmp_path / module.ARCHIVE, {**files, batch: files[batch][:-1]})
    refused("data_batch_3.bin has 6,145 bytes, not a multiple of 3,073")
    as_tar(tmp_path / module.ARCHIVE, cifar10_files(IMAGES, [*LABELS[:-1], 3]))
    refused("test batch has the label 3, but there are 3 classes")
    as_folder(tmp_path, {"cifar10/train/bird/0.png": flat(0)})
    refused("cifar10/test holds no images")
