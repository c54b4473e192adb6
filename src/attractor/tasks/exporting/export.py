"""A detector or an in-painter into an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from attractor.errors import InputError
from attractor.interop.onnx import Portable, write_onnx
from attractor.models import ImageET
from attractor.tasks.detection.detector import AnomalyDetector
from attractor.tasks.exporting.images import portable_detector
from attractor.tasks.exporting.painting import portable_inpainter
from attractor.tasks.inpainting.inpainter import Inpainter
from attractor.tasks.pretrained import from_pretrained


@dataclass(frozen=True)
class Exported:
    """A written file: what it takes, by name, what it gives, and what it says of itself.

    ``difference``: the largest of ONNX Runtime's numbers from torch's on example inputs, relative to the largest.
    """

    path: Path
    inputs: dict[str, str]
    outputs: list[str]
    notes: dict[str, str]
    difference: float


def export_onnx(thing: Any, path: str | PathLike[str], *, method: str | None = None) -> Exported:
    """Write a fitted :class:`~attractor.AnomalyDetector` or an :class:`~attractor.Inpainter` as ONNX.

    ``thing``: one of them, or a name as :func:`~attractor.from_pretrained` takes it. ``method``: the score that the
    file decides by, a detector's own unless given. Weights, scores and calibration are all in the file, and as its
    metadata what it takes. It computes in float32. Needs the packages of ``attractor[export]``. Raises
    :class:`InputError` without them, for anything else than the two, and for what of them cannot be exported: of a
    detector with tiles the score ``"patches"``, of an in-painter a descent other than of fixed steps.
    """
    portable = _portable(from_pretrained(thing) if isinstance(thing, (str, PathLike)) else thing, method)
    path = Path(path).expanduser()
    difference = write_onnx(portable, path)
    inputs = {name: _shape(value, portable.free.get(name)) for name, value in portable.inputs.items()}
    return Exported(path, inputs, list(portable.outputs), dict(portable.notes), difference)


def _portable(thing: Any, method: str | None) -> Portable:
    if isinstance(thing, AnomalyDetector):
        thing._check_fitted()
        return portable_detector(thing, method)
    if isinstance(thing, (Inpainter, ImageET)):
        if method is not None:
            raise InputError(f"an in-painter has no scores to choose from, so not {method!r} either; leave it out")
        return portable_inpainter(thing if isinstance(thing, Inpainter) else Inpainter(thing))
    raise InputError(f"a {type(thing).__name__} cannot be exported; a detector of images and an in-painter can")


def _shape(value: Tensor, free: str | None) -> str:
    sizes = [free or str(value.shape[0]), *map(str, value.shape[1:])]
    return f"{str(value.dtype).removeprefix('torch.')} ({', '.join(sizes)})"
