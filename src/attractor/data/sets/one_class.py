"""Published tasks of one-class detection: one class is normal, all others are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from attractor.data.layouts import LabelledSource, labelled_folder
from attractor.data.sets.brisc2025 import brisc2025
from attractor.data.sets.cifar10 import cifar10
from attractor.data.sets.classed_images import ClassedImages
from attractor.data.sets.local import class_folder, folder_by_hand
from attractor.data.sets.stl10 import stl10
from attractor.data.sources import ImageSource, as_source
from attractor.errors import InputError

TRAIN, TEST = 500, 800  # images of each class that STL-10 has, and that are taken of CIFAR-10


@dataclass(frozen=True)
class OneClass:
    """Which class is ``normal``, its images to ``train`` on, and images of all classes to ``test`` with."""

    normal: str
    train: ImageSource
    test: LabelledSource


def one_class_splits(name: str, folder: str | PathLike[str]) -> Iterator[OneClass]:
    """The tasks of the set ``name``, one for each class that is normal in turn.

    ``stl10``, and ``cifar10`` for ``cifar10-stl``, are fetched into ``folder`` where it lacks them; ``brisc2025``,
    ``brain-mri`` and ``magnetic-tile`` are put there by hand, a folder or an archive. Raises :class:`InputError`.
    """
    if name not in _TASKS:
        raise InputError(f"{name} is no one-class set; choose {', '.join(_TASKS)}")
    return _TASKS[name](Path(folder).expanduser())


def _stl10(folder: Path) -> Iterator[OneClass]:
    """All training images of a class; all test images."""
    splits = stl10(folder)
    return _each_in_turn(splits["train"], splits["test"])


def _cifar10_stl(folder: Path) -> Iterator[OneClass]:
    """CIFAR-10 cut to the numbers of STL-10: the first 500 training and 800 test images of every class."""
    splits = cifar10(folder)
    return _each_in_turn(splits["train"].first(TRAIN), splits["test"].first(TEST))


def _brisc2025(folder: Path) -> Iterator[OneClass]:
    yield _without_tumour(brisc2025(folder))


def _brain_mri(folder: Path) -> Iterator[OneClass]:
    """Not BRISC 2025, though laid out alike."""
    remedy = "put the folder brain-mri with train/CLASS and test/CLASS there, or brain-mri.tar"
    yield _without_tumour(folder_by_hand("brain-mri", folder, remedy))


def _magnetic_tile(folder: Path) -> Iterator[OneClass]:
    """Surface defects in MVTec-AD layout, with masks."""
    remedy = "put the folder magnetic-tile with train/good, test and ground_truth there, or magnetic-tile.tar"
    root = folder_by_hand("magnetic-tile", folder, remedy)
    yield OneClass("good", as_source(root / "train/good"), labelled_folder(root))


def _without_tumour(root: Path) -> OneClass:
    normal = "no_tumor"
    train, test = (class_folder(root, split, normal) for split in ("train", "test"))
    return OneClass(normal, as_source(train), labelled_folder(test.parent, normal))


def _each_in_turn(train: ClassedImages, test: ClassedImages) -> Iterator[OneClass]:
    for normal in train.classes:
        labels = np.array([category != normal for category in test.categories], dtype=np.int64)
        labelled = LabelledSource(test.source, labels, test.categories, [None] * len(labels))
        yield OneClass(normal, train.source.subset(train.of(normal)), labelled)


_TASKS: dict[str, Callable[[Path], Iterator[OneClass]]] = {
    "stl10": _stl10,
    "brisc2025": _brisc2025,
    "brain-mri": _brain_mri,
    "cifar10-stl": _cifar10_stl,
    "magnetic-tile": _magnetic_tile,
}
