"""An in-painter as a folder, and back: a model's folder, with settings beside the sizes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attractor.errors import InputError
from attractor.models.store import save_model
from attractor.tasks.saving import read_config, refusing_foreign, settings_of, stamp

if TYPE_CHECKING:
    from attractor.tasks.inpainting.inpainter import Inpainter

TASK = "Inpainter"


def save_inpainter(inpainter: Inpainter, folder: Path) -> Path:
    """Write ``config.json`` and ``model.safetensors``; raises :class:`InputError` on a rule that is not named."""
    if not isinstance(inpainter.rule, str):
        raise InputError("a rule with settings of its own cannot be saved; save with a rule by name")
    save_model(inpainter.ready(), folder, more={**stamp(TASK), "inpainter": settings_of(inpainter)})
    return folder


def load_inpainter(kind: type[Inpainter], folder: Path) -> Inpainter:
    """Read what :func:`save_inpainter` wrote; anything missing, broken or foreign raises :class:`InputError`."""
    config = read_config(folder, TASK)
    with refusing_foreign(folder):
        inpainter = kind(folder, **config["inpainter"])
        inpainter.ready()
    return inpainter
