"""A module as an ONNX file, which ONNX Runtime has computed with before it gets its name."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attractor.errors import InputError
from attractor.files import replacing

AGREES = 1e-3  # relative difference from torch, above which a file is not written
NEEDED = "an ONNX file needs onnx, onnxscript and onnxruntime: pip install 'attractor[export]'"


@dataclass(frozen=True)
class Portable:
    """A module that other programs are to run, in float32 and by operations that any runtime has.

    ``inputs``: an example of each, by name; ``free``: the name of the first axis of those that may be of any length;
    ``outputs``: the names of what the module gives; ``notes``: what the file says of itself.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    free: Mapping[str, str]
    outputs: tuple[str, ...]
    notes: Mapping[str, str]


def write_onnx(portable: Portable, path: Path) -> float:
    """Write the file and return the largest difference of ONNX Runtime's outputs from torch's, relative to the largest.

    Both compute the example inputs, and the first of each alone. Raises :class:`InputError` where the packages are
    missing, :class:`RuntimeError` where the two differ by more than 1e-3; nothing is written then.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (torch writes with it)
    except ImportError as error:
        raise InputError(NEEDED) from error
    program = _program(portable)
    program.model.metadata_props.update(portable.notes)
    with replacing(path) as temporary:
        program.save(temporary)
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        first = {name: value[:1] if name in portable.free else value for name, value in portable.inputs.items()}
        difference = max(_difference(portable, session, inputs) for inputs in (portable.inputs, first))
        if not difference <= AGREES:
            raise RuntimeError(f"ONNX Runtime computes other numbers than torch, by {difference:.1e}; nothing written")
    return difference


@torch.no_grad()
def _program(portable: Portable) -> Any:
    axes = {axis: torch.export.Dim(axis, min=1) for axis in portable.free.values()}
    shapes = tuple({0: axes[portable.free[name]]} if name in portable.free else None for name in portable.inputs)
    with _quiet():
        return torch.onnx.export(
            portable.module.eval(),
            tuple(portable.inputs.values()),
            input_names=list(portable.inputs),
            output_names=list(portable.outputs),
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )


@torch.no_grad()
def _difference(portable: Portable, session: Any, inputs: Mapping[str, Tensor]) -> float:
    expected = portable.module(*inputs.values())
    found = session.run(list(portable.outputs), {name: value.numpy() for name, value in inputs.items()})
    return max(_relative(a.numpy(), b) for a, b in zip(expected, found, strict=True))


def _relative(expected: np.ndarray, found: np.ndarray) -> float:
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return float("inf")
    a, b = expected.astype(np.float64), found.astype(np.float64)
    return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-12))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of packages that are not here and of its own to-be-removed calls."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
