"""A source of images as batches of equal size, decoded in threads a little ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from attractor.data.images import UnreadableImage, resize
from attractor.data.sources import ImageSource


def load_batches(
    source: ImageSource,
    size: tuple[int, int],
    unreadable: list[UnreadableImage],
    batch_size: int = 256,
    workers: int = 2,
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Yield ``(indices, images)`` in source order: places in the source, and uint8 ``(B, C, h, w)``.

    Images are resized to ``size = (h, w)`` in antialiased bicubic, whatever their aspect ratio. Those that
    cannot be read are appended to ``unreadable`` and skipped; every batch but the last is full. At most one
    batch is decoded ahead: memory does not grow with the source.
    """

    def load(i: int) -> np.ndarray | UnreadableImage:
        try:
            # twice the size, so that the bicubic filter and not the JPEG decoder sets the look of the image
            return resize(source.read(i, (2 * size[0], 2 * size[1])), size)
        except UnreadableImage as error:
            return error

    indices: list[int] = []
    images: list[np.ndarray] = []
    for i, image in enumerate(_in_order(load, len(source), workers, ahead=batch_size)):
        if isinstance(image, UnreadableImage):
            unreadable.append(image)
            continue
        indices.append(i)
        images.append(image)
        if len(images) == batch_size:
            yield indices, _stack(images)
            indices, images = [], []
    if images:
        yield indices, _stack(images)


def _in_order(
    load: Callable[[int], np.ndarray | UnreadableImage], count: int, workers: int, ahead: int
) -> Iterator[np.ndarray | UnreadableImage]:
    """``load(0), load(1), ...`` computed by threads, at most ``ahead`` before their turn."""
    waiting: deque[Future[np.ndarray | UnreadableImage]] = deque()
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


def _stack(images: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
