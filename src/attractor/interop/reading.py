"""A checkpoint's arrays, whatever its container, with nothing in it trusted: sizes first, numbers then, code never."""

from __future__ import annotations

import argparse
import math
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor, nn

from attractor.data.arrays import npy_header
from attractor.errors import InputError, one_line
from attractor.interop.sizes import Tensors
from attractor.models.store import load_tensors

LIMIT = 2**31  # bytes in float32: nine times the largest published model
MOST = 10_000  # arrays: fifty times as many as it has
INSIDE = ("model", "state_dict", "model_state_dict")
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name


def read_tensors(path: Path) -> Tensors:
    """Named arrays of an ``.npz``, a ``torch.save`` or a ``.safetensors`` file, in float32.

    A state dict may lie under ``model``, ``state_dict`` or ``model_state_dict``. Raises :class:`InputError` on a file
    that is missing, damaged, of another kind, holds code, anything else than numbers or more than 2 GiB of them.
    """
    if not path.is_file():
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'no file'}; give the checkpoint's file")
    try:
        tensors = _read(path)
        _require_plain(path, tensors)
    except InputError:
        raise
    except Exception as error:  # whatever a parser makes of a file that was made to break it
        raise InputError(f"{path} cannot be read as a checkpoint ({one_line(error)}); fetch it again") from None
    tensors = {name: t.detach().float() for name, t in tensors.items()}
    if endless := [name for name, t in tensors.items() if not t.isfinite().all()]:
        raise InputError(f"{path}: {endless[0]} holds numbers that are not finite; give another checkpoint")
    return tensors


def _read(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        _require_room(path, [(path.stat().st_size // 8,)])  # all of it float64: its header can claim no more
        return load_tensors(path)
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is no .npz, .safetensors or torch.save (1.6 or later) file, or is cut short")
    with zipfile.ZipFile(path) as archive:
        if not any(member.filename.endswith("/data.pkl") for member in archive.infolist()):
            return _read_npz(path, archive)
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise InputError(f"{path} is compressed, which torch.save never does; fetch it again")
        if archive.testzip():  # torch does not look, and would give other weights
            raise InputError(f"{path} is damaged: its checksums are of other bytes; fetch it again")
    return _read_torch(path)


# --- NumPy ---------------------------------------------------------------------------------------------------------


def _read_npz(path: Path, archive: zipfile.ZipFile) -> Tensors:
    """What an archive declares is added up and compared with its members before any of them is unpacked."""
    _require_room(path, [_declared(path, archive, member) for member in archive.infolist()])
    arrays = {}
    for member in archive.infolist():
        with archive.open(member) as file:
            array = npy.read_array(file, allow_pickle=False)
        arrays[member.filename.removesuffix(".npy")] = array.astype(array.dtype.newbyteorder("="))
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _declared(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, ...]:
    """The shape in an array's header."""
    shape, dtype = npy_header(path, archive, member)
    if dtype.newbyteorder("=") not in (np.float16, np.float32, np.float64):
        raise InputError(f"{path}: {member.filename} holds {dtype}, not float16, float32 or float64")
    return shape


# --- PyTorch -------------------------------------------------------------------------------------------------------


def _read_torch(path: Path) -> dict[str, Any]:
    """The state dict of a ``torch.save``, mapped from the file: what it claims to hold takes no memory."""
    try:
        # The published script saves its command line too, a Namespace: a record of plain values, not code.
        with torch.serialization.safe_globals([argparse.Namespace]):
            loaded = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        if called := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(f"{path} holds code ({called[1][:80]}), refused; ask for the weights alone") from None
        raise
    if isinstance(loaded, dict):
        loaded = next((loaded[key] for key in INSIDE if isinstance(loaded.get(key), dict)), loaded)
    if not isinstance(loaded, dict) or not all(isinstance(name, str) for name in loaded):
        raise InputError(f"{path} holds no state dict, named arrays; save model.state_dict()")
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in loaded):
            loaded = {name.removeprefix(wrapper): t for name, t in loaded.items()}
    return loaded


def _require_plain(path: Path, tensors: dict[str, Any]) -> None:
    """Raise :class:`InputError` on names of control characters, anything but dense floats, and too many of them."""
    for name, t in tensors.items():
        if len(name) > 200 or not name.isprintable():
            raise InputError(f"{path}: {name[:40]!r} is no name of an array; give a published checkpoint")
        if not _is_plain(t):
            kind = f"{t.layout}, {t.dtype}" if isinstance(t, Tensor) else type(t).__name__
            raise InputError(f"{path}: {name} is no dense array of floats ({kind}); give the weights alone")
    _require_room(path, [tuple(t.shape) for t in tensors.values()])


def _is_plain(t: Any) -> bool:
    """A tensor of this process's memory and nothing more: attributes set on it could stand for its methods."""
    if type(t) not in (Tensor, nn.Parameter) or vars(t) or t.is_nested:
        return False
    return t.layout == torch.strided and t.device.type == "cpu" and t.dtype.is_floating_point


def _require_room(path: Path, shapes: list[tuple[int, ...]]) -> None:
    """Raise :class:`InputError` if arrays of these shapes are more than a model is: a few bytes can claim so."""
    if len(shapes) > MOST:
        raise InputError(f"{path} holds {len(shapes):,} arrays, more than {MOST:,}; refused")
    size = sum(math.prod(shape) for shape in shapes) * 4
    if size > LIMIT:
        raise InputError(f"{path} claims {size / 2**30:,.0f} GiB of weights, more than {LIMIT / 2**30:.0f}; refused")
