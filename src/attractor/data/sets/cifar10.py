"""CIFAR-10: ten classes of photographs, 32 x 32."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attractor.data.downloads import fetched
from attractor.data.sets.classed_images import ClassedImages, Splits
from attractor.data.sets.local import local_folder
from attractor.data.sets.members import codes, members, rows

BASE = "https://www.cs.toronto.edu/~kriz/"
ARCHIVE = "cifar-10-binary.tar.gz"
CHECKSUM = "md5:c32a1d4ab5d03f1284b67883e8d87530"
SIDE = 32
NAMES = "batches.meta.txt"
FILES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}


def cifar10(folder: Path) -> Splits:
    """``train`` (5,000 images a class) and ``test`` (1,000).

    From ``cifar10/{train,test}/CLASS`` or an archive of it where ``folder`` has one, else from the binary version,
    fetched into ``folder`` once. Raises :class:`InputError`. Source: Krizhevsky (2009), Learning multiple layers of
    features from tiny images.
    """
    if root := local_folder("cifar10", folder):
        return {split: ClassedImages.from_folder(root / split) for split in FILES}
    path = fetched(folder / ARCHIVE, BASE, checksum=CHECKSUM)
    found = members(path, [NAMES, *FILES["train"], *FILES["test"]])
    classes = found[NAMES].decode("utf-8", "replace").split()
    return {split: _split(path, split, found, classes) for split in FILES}


def _split(path: Path, split: str, found: dict[str, bytes], classes: list[str]) -> ClassedImages:
    """Records of a label and an image, channel by channel, each row by row."""
    records = np.concatenate([rows(path, name, found[name], 1 + 3 * SIDE * SIDE) for name in FILES[split]])
    images = records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    labels = codes(path, f"{split} batch", records[:, 0], classes)
    return ClassedImages.from_arrays(f"cifar10/{split}", images, labels, classes)
