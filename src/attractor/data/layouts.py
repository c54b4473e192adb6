"""Labelled test folders: MVTec-AD, with its masks, and plain class folders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from attractor.data.images import open_image
from attractor.data.sources import ImageSource, find_images
from attractor.errors import InputError

NORMAL_NAMES = ("good", "healthy", "no_tumor", "nominal", "normal", "ok")


@dataclass(frozen=True)
class LabelledSource:
    """Images with the truth about them.

    ``labels`` int64 ``(N,)``, 0 normal and 1 anomalous; ``categories`` the class folder of each; ``masks``
    the file of its anomalous pixels, where there is one.
    """

    source: ImageSource
    labels: np.ndarray
    categories: list[str]
    masks: list[Path | None]


def labelled_folder(root: str | PathLike[str], normal: str | None = None, channels: int = 3) -> LabelledSource:
    """Read ``root/test/CLASS/...`` or ``root/CLASS/...``, one class of which is normal.

    The normal class is ``normal``, or the one with a usual name (good, healthy, no_tumor, nominal, normal,
    ok). Masks lie in ``ground_truth`` beside the ``test`` folder or the classes: ``CLASS/STEM_mask.png``,
    ``CLASS/STEM.png``, or the same without the class (MVTec-AD, Bergmann et al. 2019). Raises
    :class:`InputError`.
    """
    root = Path(root).expanduser()
    folder = root / "test" if (root / "test").is_dir() else root
    images = _images_by_class(folder)
    normal = _normal_class(folder, sorted(images), normal)
    paths = [path for category in sorted(images) for path in images[category]]
    categories = [path.relative_to(folder).parts[0] for path in paths]
    find_mask = _MaskFinder(folder)
    masks = [None if c == normal else find_mask(p) for p, c in zip(paths, categories, strict=True)]
    _check_one_image_a_mask(masks)
    return LabelledSource(
        source=ImageSource([str(path) for path in paths], list(paths), channels),
        labels=np.array([category != normal for category in categories], dtype=np.int64),
        categories=categories,
        masks=masks,
    )


def read_mask(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Anomalous pixels, bool ``(H, W)``: those above zero in the file, by nearest neighbour to ``shape``."""
    mask = Image.fromarray(mask_pixels(path).astype(np.uint8))
    return np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.NEAREST)) > 0


def mask_pixels(path: Path) -> np.ndarray:
    """The pixels of an image file that are not black, bool ``(H, W)``; raises :class:`UnreadableImage`."""
    image = open_image(path)
    if image.mode == "P" or len(image.getbands()) > 1:  # a palette's numbers say nothing of its colours
        return np.asarray(image.convert("RGB")).max(axis=-1) > 0
    return np.asarray(image) > 0


def _images_by_class(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check the path")
    images: dict[str, list[Path]] = {}
    for path in find_images(folder):
        parts = path.relative_to(folder).parts
        if len(parts) == 1:
            raise InputError(f"{path}: an image outside the class folders; move it into one or away")
        if parts[0] != "ground_truth":
            images.setdefault(parts[0], []).append(path)
    return images


def _normal_class(folder: Path, classes: list[str], normal: str | None) -> str:
    seen = f"{folder}: found the class folders {', '.join(classes) or '(none)'}"
    if len(classes) < 2:
        raise InputError(f"{seen}; one of normal and at least one of anomalous images are needed")
    wanted = {_plain(name) for name in ([normal] if normal else NORMAL_NAMES)}
    matches = [name for name in classes if _plain(name) in wanted]
    if normal in matches:
        return normal
    if len(matches) != 1:
        problem = "none is" if not matches else f"{' and '.join(matches)} are"
        raise InputError(f"{seen}, and {problem} {normal or 'named as normal'}; pick with normal=NAME")
    return matches[0]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


class _MaskFinder:
    """Looks up the mask of an image of ``folder`` by its place and stem."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        places = (folder / "ground_truth", folder.resolve().parent / "ground_truth")
        root = next((place for place in places if place.is_dir()), None)
        found = find_images(root) if root else []
        self.masks = {(path.relative_to(root).parent, path.stem): path for path in found if root}

    def __call__(self, image: Path) -> Path | None:
        place = image.relative_to(self.folder).parent
        keys = [(parent, image.stem + end) for parent in (place, Path()) for end in ("_mask", "")]
        return next((self.masks[key] for key in keys if key in self.masks), None)


def _check_one_image_a_mask(masks: list[Path | None]) -> None:
    for mask, count in Counter(mask for mask in masks if mask).items():
        if count > 1:
            raise InputError(f"{mask}: fits {count} images; put masks into ground_truth/CLASS/")
