"""ImageNet (ILSVRC 2012), which nobody may hand out: put there by hand."""

from __future__ import annotations

from pathlib import Path

from attractor.errors import InputError


def imagenet(folder: Path) -> Path:
    """The folder ``imagenet`` with the splits ``train`` and ``val``; :class:`InputError` where it is missing."""
    root = folder / "imagenet"
    for split in ("train", "val"):
        if not (root / split).is_dir():
            raise InputError(
                f"{root / split} is missing; get ILSVRC 2012 from image-net.org, and put its images there as "
                f"{split}/WNID/*.JPEG"
            )
    return root
