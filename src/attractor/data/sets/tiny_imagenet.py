"""Tiny ImageNet: 200 classes of photographs, 64 x 64."""

from __future__ import annotations

from pathlib import Path

from attractor.data.downloads import fetched
from attractor.data.sets.local import local_archive

BASE = "http://cs231n.stanford.edu/"
ARCHIVE = "tiny-imagenet-200.zip"
CHECKSUM = "md5:90528d7ca1a48142e341f4ef8d21d0de"


def tiny_imagenet(folder: Path) -> Path:
    """What :func:`~attractor.data.labelled.load_labelled` reads, with the splits ``train`` and ``val``.

    The folder or archive ``tiny-imagenet`` or ``tiny-imagenet-200`` where ``folder`` has one, else the official zip,
    fetched into ``folder`` once. Raises :class:`InputError`. Source: Le and Yang (2015), Stanford CS231n.
    """
    for name in ("tiny-imagenet", "tiny-imagenet-200"):
        if (folder / name).is_dir():
            return folder / name
        if (archive := local_archive(name, folder)) and archive.name != ARCHIVE:
            return archive
    return fetched(folder / ARCHIVE, BASE, checksum=CHECKSUM)
