"""Published checkpoints as their authors' code writes them, from the golden weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from attractor.interop import jax_et
from parity import Arrays


def jax_weights(arrays: Arrays) -> Arrays:
    """The arrays of a2 that the published ``.npz`` holds."""
    return {name: arrays[name] for name in jax_et.SHAPES}


def state_dict(arrays: Arrays) -> dict[str, Tensor]:
    """The arrays ``sd/<name>``, which the published ``.pth`` and ``.pt`` hold."""
    return {name.removeprefix("sd/"): torch.from_numpy(a) for name, a in arrays.items() if name.startswith("sd/")}


def write_npz(path: Path, arrays: Arrays) -> Path:
    """``np.savez``, which adds no suffix to an open file."""
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


def write_torch(path: Path, value: object) -> Path:
    """``torch.save``."""
    torch.save(value, path)
    return path
