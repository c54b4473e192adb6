"""STL-10: ten classes of photographs, 96 x 96."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from attractor.data.downloads import fetched
from attractor.data.sets.classed_images import ClassedImages, Splits
from attractor.data.sets.members import codes, members, rows
from attractor.errors import InputError

BASE = "http://ai.stanford.edu/~acoates/stl10/"
ARCHIVE = "stl10_binary.tar.gz"
CHECKSUM = "md5:91f7769df0f17e558f3565bffb0c7dfb"
SIDE = 96
NAMES = "class_names.txt"


def stl10(folder: Path) -> Splits:
    """``train`` (500 images a class) and ``test`` (800) in the order of the files, fetched into ``folder`` once.

    The unlabelled images are left aside. Raises :class:`InputError`. Source: Coates, Ng, Lee (2011), An analysis of
    single-layer networks in unsupervised feature learning.
    """
    path = fetched(folder / ARCHIVE, BASE, checksum=CHECKSUM)
    found = members(path, [NAMES, *(f"{split}_{part}.bin" for split in ("train", "test") for part in "Xy")])
    classes = found[NAMES].decode("utf-8", "replace").split()
    return {split: _split(path, split, found, classes) for split in ("train", "test")}


def _split(path: Path, split: str, found: dict[str, bytes], classes: list[str]) -> ClassedImages:
    x, y = f"{split}_X.bin", f"{split}_y.bin"
    # one image: channel by channel, each column by column
    images = rows(path, x, found[x], 3 * SIDE * SIDE).reshape(-1, 3, SIDE, SIDE).transpose(0, 3, 2, 1)
    labels = np.frombuffer(found[y], np.uint8)
    if len(labels) != len(images):
        raise InputError(f"{path}: {x} has {len(images)} images, {y} {len(labels)} labels; delete it to fetch again")
    return ClassedImages.from_arrays(f"stl10/{split}", images, codes(path, y, labels, classes, first=1), classes)
