"""Arrays in an archive: what they declare, before any of them is read."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from attractor.errors import InputError


def npy_header(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and kind of an array in an ``.npz``, once they agree with the archive: no more than it holds is set aside.

    Raises :class:`InputError` on a header of another version, and on one that declares another size.
    """
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version != (1, 0):  # the others' headers may be of any length
            raise InputError(f"{path}: {member.filename} has the .npy format {version}, not 1.0; save it with np.savez")
        shape, _, dtype = npy.read_array_header_1_0(file)
        size = file.tell() + math.prod(shape) * dtype.itemsize
    if size != member.file_size and not dtype.hasobject:
        raise InputError(f"{path}: {member.filename} has {member.file_size} bytes and declares {size}; fetch it again")
    return shape, dtype
