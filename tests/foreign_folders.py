"""Folders of what was fitted with files in them that belong elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attractor.errors import InputError

FILES = ("config.json", "calibration.json", "model.safetensors")


def assert_refuses_foreign_files(fitted: Any, folder: Path) -> None:
    """A folder in which any one file is another is not loaded."""
    for name in FILES:
        saved = fitted.save(folder / name)
        (saved / name).write_text("{}")
        with pytest.raises(InputError, match=r"fit it again|safetensors"):
            type(fitted).load(saved)


def assert_refuses_a_mixture(fitted: Any, other: Any, folder: Path) -> None:
    """Nor one with a file of what was fitted otherwise."""
    theirs = other.save(folder / "theirs")
    for name in FILES:
        mixed = fitted.save(folder / f"mixed-{name}")
        (mixed / name).write_bytes((theirs / name).read_bytes())
        with pytest.raises(InputError, match="different detectors"):
            type(fitted).load(mixed)
