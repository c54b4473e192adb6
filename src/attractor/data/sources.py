"""Whatever the user has (folders, files, arrays, tensors) as one sequence of images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from attractor.console import stderr
from attractor.data.images import (
    EXTENSIONS,
    decode_image,
    from_sixteen_bits,
    is_image_name,
    read_image,
    to_pixels,
)
from attractor.errors import InputError, one_line

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class ImageSource:
    """Images by number, decoded when asked for.

    ``names[i]`` is the path, or ``"array[i]"``; ``items[i]`` is a path, the bytes of an image file, or an
    array ``(H, W)`` or ``(H, W, C)``; ``channels`` is 1 or 3.
    """

    names: list[str]
    items: Sequence[Path | bytes | np.ndarray]
    channels: int = 3

    def __len__(self) -> int:
        return len(self.names)

    def read(self, i: int, size: tuple[int, int] | None = None) -> np.ndarray:
        """Image ``i``, uint8 ``(H, W, channels)``; ``size`` and errors as in :func:`read_image`."""
        item = self.items[i]
        if isinstance(item, Path):
            return read_image(item, self.channels, size)
        if isinstance(item, bytes):
            return decode_image(item, self.names[i], self.channels, size)
        return to_pixels(_to_image(item), self.channels)

    @property
    def place(self) -> str:
        """Where the images are, for a message: the folder that holds them, else "all"."""
        folders = {item.parent if isinstance(item, Path) else None for item in self.items}
        folder = folders.pop() if len(folders) == 1 else None
        return str(folder or "all")

    def subset(self, indices: Sequence[int] | np.ndarray) -> ImageSource:
        """The images at ``indices``, in that order."""
        return replace(self, names=[self.names[i] for i in indices], items=[self.items[i] for i in indices])


def as_source(images: Any, channels: int = 3) -> ImageSource:
    """Anything that holds images as an :class:`ImageSource`.

    Takes a folder (searched to any depth, sorted), a file, a list of both, an array or tensor ``(N, H, W)``,
    ``(N, H, W, C)`` or ``(N, C, H, W)``, or a list of them of any sizes without the ``N``. Values are uint8,
    uint16, or floating in [0, 1]. A list may also hold PIL images. What folders hold counts once; a file named twice
    counts twice. Raises :class:`InputError`.
    """
    if isinstance(images, ImageSource):
        return replace(images, channels=channels)
    if isinstance(images, (str, PathLike)):
        if not _path(images).exists():
            raise InputError(f"{images}: no such file or folder; check the path")
        return _from_paths([images], channels)
    if isinstance(images, (np.ndarray, torch.Tensor)):
        return _from_arrays(_unstack(images), channels)
    if not isinstance(images, (list, tuple)):
        raise InputError(f"images are a {type(images).__name__}; give a folder, paths, an array or a tensor")
    if not images:
        raise InputError("the list of images is empty; give at least one")
    if all(isinstance(item, (str, PathLike)) for item in images):
        return _from_paths(images, channels)
    if all(isinstance(item, (np.ndarray, torch.Tensor)) for item in images):
        return _from_arrays([_channels_last(item, (2, 3)) for item in images], channels)
    if all(isinstance(item, Image.Image) for item in images):
        pixels = [to_pixels(ImageOps.exif_transpose(item), channels) for item in images]
        return ImageSource([f"image[{i}]" for i in range(len(images))], pixels, channels)
    kinds = ", ".join(sorted({type(item).__name__ for item in images}))
    raise InputError(f"the list of images holds {kinds}; give paths only, arrays only, or PIL images only")


def _path(given: str | PathLike[str]) -> Path:
    """A path that may begin at home; one that no file can have raises :class:`InputError`."""
    try:
        path = Path(given).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long; a home of nobody; a zero byte
        raise InputError(f"{str(given)[:100]!r} is no path ({one_line(error)}); check it") from None
    return path


def find_images(folder: Path) -> list[Path]:
    """Every image below ``folder``, sorted; hidden files do not count, linked folders count once.

    How many files have the extension of no image, and are left aside, is said once on stderr.
    """
    files = sorted(_walk(folder))
    images = [file for file in files if is_image_name(file)]
    if images and len(images) < len(files):
        others = len(files) - len(images)
        stderr.print(f"{folder}: {others} of {len(files)} files have no image's extension and are left aside")
    return images


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be listed ({error.strerror}); check its permissions")

    seen = set()
    for parent, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(f for f in folders if not f.startswith("."))
        if real not in seen:
            yield from (Path(parent, f) for f in files if not f.startswith("."))
        seen.add(real)


def _from_paths(paths: Sequence[str | PathLike[str]], channels: int) -> ImageSource:
    found: list[Path] = []
    seen: set[str] = set()
    for given in paths:
        path = _path(given)
        images = find_images(path) if path.is_dir() else [path]
        if not images:
            looked_for = " ".join(sorted(EXTENSIONS))
            raise InputError(f"{path}: no images in this folder; looked at any depth for {looked_for}")
        if path.is_dir():  # a file that is named keeps its place, however often it is named
            images = [image for image in images if os.path.abspath(image) not in seen]  # noqa: PTH100
        seen.update(os.path.abspath(image) for image in images)  # noqa: PTH100 (resolve() would follow links)
        found += images
    return ImageSource([str(path) for path in found], list(found), channels)


def _from_arrays(arrays: Sequence[np.ndarray], channels: int) -> ImageSource:
    low, high = 0.0, 1.0
    for i, array in enumerate(arrays):
        if array.dtype not in (np.uint8, np.uint16) and not np.issubdtype(array.dtype, np.floating):
            raise InputError(f"array[{i}] is {array.dtype}; give uint8, uint16, or floating values in [0, 1]")
        if not array.size:
            raise InputError(f"array[{i}] has shape {array.shape}; every side must be at least 1")
        if np.issubdtype(array.dtype, np.floating):
            if not np.isfinite(array).all():
                raise InputError(f"array[{i}] holds NaN or infinite values; replace them or leave it out")
            low, high = min(low, float(array.min())), max(high, float(array.max()))
    if (low, high) != (0.0, 1.0):
        raise InputError(f"floating images span [{low:g}, {high:g}]; scale them to [0, 1] or give uint8")
    return ImageSource([f"array[{i}]" for i in range(len(arrays))], arrays, channels)


def _unstack(images: np.ndarray | torch.Tensor) -> list[np.ndarray]:
    """``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)`` to N views ``(H, W)`` or ``(H, W, C)``."""
    array = _channels_last(images, (3, 4))
    if array.ndim == 3 and (array.shape[2] in _CHANNELS or array.shape[0] == 3):
        remedy = "give images[None], or images[..., None] if they are grey"
        raise InputError(f"an array of shape {array.shape} looks like one image; {remedy}")
    if not len(array):
        raise InputError(f"an array of shape {array.shape} holds no images; give at least one")
    return list(array)


def _channels_last(images: np.ndarray | torch.Tensor, dims: tuple[int, int]) -> np.ndarray:
    """Numpy view whose channels, where there are any (``dims[1]`` dimensions), come last."""
    tensor = isinstance(images, torch.Tensor)
    array = _as_numpy(images) if isinstance(images, torch.Tensor) else images
    if array.ndim == dims[0]:
        return array
    if array.ndim == dims[1]:
        for axis in (-3, -1) if tensor else (-1, -3):
            if array.shape[axis] in _CHANNELS:
                return np.moveaxis(array, axis, -1)
    batch = "N, " if dims[0] == 3 else ""
    wanted = f"({batch}H, W), ({batch}H, W, C) or ({batch}C, H, W) with C 1, 3 or 4"
    raise InputError(f"an array of shape {tuple(array.shape)} is no image; give {wanted}")


def _as_numpy(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _to_image(array: np.ndarray) -> Image.Image:
    if array.dtype == np.uint16:
        array = from_sixteen_bits(array)
    elif array.dtype != np.uint8:
        array = np.rint(array.astype(np.float32) * 255).astype(np.uint8)
    return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)
