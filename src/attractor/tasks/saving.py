"""A fitted detector as a folder of three files that belong together, none of them a pickle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from attractor.errors import InputError
from attractor.files import read_json, replacing_together, write_json
from attractor.models.store import fingerprint, load_tensors, save_tensors

FORMATS = {"AnomalyDetector": 4}  # 1 of all others; raised when scores change, for calibrations are of the old ones
WEIGHTS = "model.safetensors"
PARTS = (WEIGHTS, "calibration.json", "config.json")


def save_parts(
    folder: Path, task: str, config: dict[str, Any], calibration: dict[str, Any], tensors: dict[str, Tensor]
) -> Path:
    """Write ``config.json``, ``model.safetensors`` and ``calibration.json``, each carrying the weights' fingerprint."""
    identity = fingerprint(tensors.values())  # in all three files: parts of two detectors do not mix
    head = {"format": FORMATS.get(task, 1), "task": task, "weights": identity}
    with replacing_together([folder / name for name in PARTS]) as (weights, decisions, settings):
        save_tensors(weights, tensors)
        write_json(decisions, {**calibration, "weights": identity})
        write_json(settings, {**head, **config})
    return folder


def load_parts(folder: Path, task: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    """Read what :func:`save_parts` wrote; anything missing, of another task or mixed raises :class:`InputError`."""
    config = read_json(folder / "config.json")
    wanted = FORMATS.get(task, 1)
    held, found = (config.get("task"), config.get("format")) if isinstance(config, dict) else (None, None)
    if held is not None and held != task:
        raise InputError(f"{folder} holds a fitted {held}, and this asks for {task}; choose another folder")
    if (held, found) != (task, wanted):
        raise InputError(f"{folder / 'config.json'} is of the format {found} of {task}, not {wanted}; fit it again")
    calibration, tensors = read_json(folder / "calibration.json"), load_tensors(folder / WEIGHTS)
    known = calibration.get("weights") if isinstance(calibration, dict) else None
    if not fingerprint(tensors.values()) == config.get("weights") == known:
        raise InputError(f"{folder} holds parts of different detectors (an interrupted save?); fit it again")
    return config, calibration, tensors


@contextmanager
def refusing_foreign(folder: Path) -> Iterator[None]:
    """Turn what comes of settings that are missing or of another kind into an :class:`InputError`."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{folder} has settings that are missing or foreign ({error}); fit it again") from None
