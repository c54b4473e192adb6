"""Images without their labels: a folder of any layout, or one split of a benchmark set."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from torch import Tensor

from attractor.data.batches import load_images
from attractor.data.images import UnreadableImage
from attractor.data.labelled import load_labelled
from attractor.data.sources import as_source
from attractor.errors import InputError


def load_unlabelled(
    root: str | PathLike[str],
    split: str | None = None,
    size: tuple[int, int] = (64, 64),
    channels: int = 3,
    first: int | None = None,
) -> tuple[Tensor, list[UnreadableImage]]:
    """Load the images of ``root``, or of ``root/split``, resized to ``size = (h, w)``: uint8 ``(N, C, h, w)``.

    ``root`` is a folder, searched to any depth, or with a ``split`` an archive that
    :func:`~attractor.data.labelled.load_labelled` reads; ``first`` takes so many only. The second value is what could
    not be read. Raises :class:`InputError` where nothing could.
    """
    root = Path(root).expanduser()
    unreadable: list[UnreadableImage] = []
    if root.is_dir() or split is None:
        if root.is_file():
            raise InputError(f"{root} is a file; give a folder of images, or the split of an archive")
        source = as_source(root / split if split else root, channels)
        _, images = load_images(source.subset(range(len(source))[:first]), size, unreadable)
    else:
        labelled = load_labelled(root, split, size, channels)
        images, unreadable = labelled.images[:first], labelled.unreadable
    if not len(images):
        raise InputError(f"{root}: none of the images can be read; the first: {unreadable[0]}")
    return images, unreadable
