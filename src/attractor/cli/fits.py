"""A fit that may be interrupted: what it leaves in its folder until it is done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attractor.errors import InputError
from attractor.files import require_writable


@contextmanager
def resumable(output: Path, resume: bool) -> Iterator[None]:
    """Refuse to tread on the checkpoints of an interrupted fit, unless to resume it; remove them once it is done."""
    from attractor.training.checkpoint import CHECKPOINT

    require_writable(output)
    kept = f"member-*/{CHECKPOINT}"
    begun = sorted(output.glob(kept))
    if begun and not resume:
        raise InputError(f"{begun[0]} is of an interrupted fit; add --resume to go on, or remove it")
    yield
    for checkpoint in output.glob(kept):
        shutil.rmtree(checkpoint.parent)
