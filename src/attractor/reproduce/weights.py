"""Which weights a figure is of: those of one name change from release to release, and the Hub's at any time."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from attractor.models.store import model_folder
from attractor.reproduce.part import Kind
from attractor.reproduce.row import Row
from attractor.scoring.background import BACKGROUND
from attractor.tasks.saving import WEIGHTS

DIGITS = 16


def located(row: Row) -> Row:
    """The row with folders for the names of its models, so that all parts are measured with the same weights."""
    variants = {name: dict(settings) for name, settings in row.variants.items()}
    for settings in variants.values():
        if "model" in settings:
            settings["model"] = str(model_folder(settings["model"]))
    return row.model_copy(update={"variants": variants})


def fingerprint(kind: Kind, row: Row, variant: str, seed: int) -> str | None:
    """How ``cat model.safetensors background.safetensors | sha256sum`` begins, of those of the two that are there.

    None where there are no weights, or none yet.
    """
    folder = kind.weights(row.of(variant), seed)
    files = [folder / name for name in (WEIGHTS, BACKGROUND) if (folder / name).is_file()] if folder else []
    stats = [(file, file.stat()) for file in files]
    return _digest(*((file, s.st_mtime_ns, s.st_size, s.st_ino) for file, s in stats)) if files else None


@cache
def _digest(*states: tuple[Path, int, int, int]) -> str:
    """Of files in these states (time, size, inode): large weights are not read before and after every part."""
    return sha256(b"".join(file.read_bytes() for file, *_ in states)).hexdigest()[:DIGITS]
