"""Published sets of labelled images in memory, by name: what pretraining and in-painting read."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from attractor.data.labelled import LabelledImages, load_labelled
from attractor.data.sets.cifar10 import cifar10
from attractor.data.sets.imagenet import imagenet
from attractor.data.sets.tiny_imagenet import tiny_imagenet
from attractor.errors import InputError

SPLITS = {"tiny-imagenet": ("train", "val"), "cifar10": ("train", "test"), "imagenet": ("train", "val")}


def labelled_set(
    name: str, folder: str | PathLike[str], split: str, size: tuple[int, int] = (64, 64)
) -> LabelledImages:
    """One split of ``tiny-imagenet``, ``cifar10`` or ``imagenet``, resized to ``size = (h, w)``.

    The first two are fetched into ``folder`` where it lacks them. Raises :class:`InputError`.
    """
    if split not in SPLITS.get(name, ()):
        known = ", ".join(f"{known} ({' or '.join(splits)})" for known, splits in SPLITS.items())
        raise InputError(f"there are no images of {name} {split}; choose one of {known}")
    folder = Path(folder).expanduser()
    if name == "cifar10":
        found = cifar10(folder)[split]
        return LabelledImages.load(found.source, found.categories, found.classes, size)
    return load_labelled(imagenet(folder) if name == "imagenet" else tiny_imagenet(folder), split, size)
