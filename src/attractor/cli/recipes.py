"""What every command that trains from a recipe does before."""

from __future__ import annotations

import logging
from pathlib import Path

from attractor.errors import InputError
from attractor.files import require_writable


def start_run(output: Path, resume: bool) -> None:
    """Log a line an epoch, since runs take hours, and see that the run can be written and spoils no other."""
    logging.getLogger("attractor.training").setLevel(logging.INFO)
    if (output / "checkpoint.pt").exists() and not resume:
        raise InputError(f"{output} holds a run already; add --resume to go on with it, or choose another folder")
    if (output / "config.json").exists():
        raise InputError(f"{output} holds a finished model; choose another folder")
    require_writable(output)
