"""A source of images as batches of views, decoded in threads a little ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from attractor.console import progress
from attractor.data.images import UnreadableImage, resize
from attractor.data.room import image_room
from attractor.data.sources import ImageSource
from attractor.data.views import Canvas, Viewing

T = TypeVar("T")


def view_batches(
    source: ImageSource,
    viewing: Viewing,
    unreadable: list[UnreadableImage],
    batch_size: int = 256,
    workers: int = 2,
) -> Iterator[tuple[list[Canvas], Tensor]]:
    """Yield whole images, ``batch_size`` views or a little more at a time: canvases, and views uint8 ``(V, C, h, w)``.

    The views of one image follow one another. Unreadable images are appended to ``unreadable`` and skipped; a bounded
    number of images is decoded ahead, so memory does not grow with the source.
    """
    canvases: list[Canvas] = []
    views: list[np.ndarray] = []
    count = 0
    look_at = partial(_look_at, source, viewing)
    for item in in_order(look_at, len(source), workers, ahead=32 if viewing.tiles else batch_size):
        if isinstance(item, UnreadableImage):
            unreadable.append(item)
            continue
        canvases.append(item[0])
        views.append(item[1])
        count += len(item[1])
        if count >= batch_size:
            yield canvases, _to_tensor(views)
            canvases, views, count = [], [], 0
    if views:
        yield canvases, _to_tensor(views)


def _look_at(source: ImageSource, viewing: Viewing, i: int) -> tuple[Canvas, np.ndarray] | UnreadableImage:
    """Image ``i`` and its views, uint8 ``(V, h, w, C)``; the error where it cannot be read."""
    try:
        pixels, image_size = read_canvas(source, i, viewing)
    except UnreadableImage as error:
        return error
    (h, w), origins = viewing.size, viewing.origins(*pixels.shape[:2])
    views = [pixels[top : top + h, left : left + w] for top, left in origins]
    if viewing.tiles:
        views.append(resize(pixels, viewing.size))
    return Canvas(i, image_size, pixels.shape[:2], origins, overview=viewing.tiles), np.stack(views)


def read_canvas(source: ImageSource, i: int, viewing: Viewing) -> tuple[np.ndarray, tuple[int, int]]:
    """Image ``i`` as it is looked at, uint8 ``(H, W, C)``, and its own size; raises :class:`UnreadableImage`."""
    h, w = viewing.size
    # twice the size, so that the bicubic filter and not the JPEG decoder sets the look of the image
    pixels = source.read(i, None if viewing.tiles else (2 * h, 2 * w))
    size = viewing.canvas(*pixels.shape[:2])
    return pixels if size == pixels.shape[:2] else resize(pixels, size), pixels.shape[:2]


def _to_tensor(views: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(views).transpose(0, 3, 1, 2).copy())


def load_batches(
    source: ImageSource,
    size: tuple[int, int],
    unreadable: list[UnreadableImage],
    batch_size: int = 256,
    workers: int = 2,
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield ``(indices, images)`` in source order: places in the source, and uint8 ``(B, C, h, w)``.

    Images are resized to ``size = (h, w)`` in antialiased bicubic, whatever their aspect ratio; the rest as
    :func:`view_batches`. Every batch but the last is full.
    """
    for canvases, views in view_batches(source, Viewing(size), unreadable, batch_size, workers):
        yield [canvas.index for canvas in canvases], views


def load_images(
    source: ImageSource, size: tuple[int, int], unreadable: list[UnreadableImage]
) -> tuple[list[int], Tensor]:
    """Every readable image at once: places in the source, and uint8 ``(N, C, h, w)``; the rest as load_batches."""
    images = image_room(len(source), source.channels, size)
    kept: list[int] = []
    for indices, batch in load_batches(source, size, unreadable):
        images[len(kept) : len(kept) + len(indices)] = batch
        kept += indices
    return kept, images[: len(kept)]


def view_batches_with_progress(
    source: ImageSource, viewing: Viewing, label: str, unreadable: list[UnreadableImage]
) -> Iterator[tuple[list[Canvas], Tensor]]:
    """:func:`view_batches`, and how far they are, by image."""
    batches = view_batches(source, viewing, unreadable)
    return progress(batches, label, total=len(source), size=lambda batch: len(batch[0]))


def in_order(load: Callable[[int], T], count: int, workers: int, ahead: int) -> Iterator[T]:
    """``load(0), load(1), ...`` computed by threads, at most ``ahead`` before their turn."""
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for i in range(count):
            waiting.append(pool.submit(load, i))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also when the consumer stops early
        pool.shutdown(cancel_futures=True)
