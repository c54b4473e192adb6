"""Room for a whole set of images: in memory, or in a file that is mapped where memory would not do."""

from __future__ import annotations

import math
import shutil
import tempfile

import torch
from torch import Tensor

from attractor.console import stderr
from attractor.errors import InputError

IN_MEMORY = 2**34  # bytes


def image_room(count: int, channels: int, size: tuple[int, int]) -> Tensor:
    """An uninitialised uint8 tensor ``(count, channels, h, w)``.

    Beyond 16 GiB it lies in a file without a name in the temporary folder (``TMPDIR``), which goes when the tensor
    does; a disk that is too small for it raises :class:`InputError` before anything is read.
    """
    shape = (count, channels, *size)
    length = math.prod(shape)
    if length <= IN_MEMORY:
        return torch.empty(shape, dtype=torch.uint8)
    folder = tempfile.gettempdir()
    stderr.print(f"{count:,} images of {size[0]} x {size[1]} pixels take {length >> 30} GiB, mapped from {folder}")
    if shutil.disk_usage(folder).free < length:  # found out by writing, it would kill the process
        raise InputError(f"{folder} has no {length >> 30} GiB for the images; set TMPDIR to a folder that has")
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.truncate(length)
        return torch.from_file(file.name, shared=True, size=length, dtype=torch.uint8).view(shape)
