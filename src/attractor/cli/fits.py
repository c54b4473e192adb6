"""A fit that may be interrupted: what it leaves in its folder until it is done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attractor.files import require_writable


@contextmanager
def resumable(output: Path, resume: bool) -> Iterator[None]:
    """Refuse to tread on what another fit left there, unless to resume it; remove its checkpoints once it is done."""
    from attractor.training.checkpoint import CHECKPOINT
    from attractor.training.runs import require_free

    checkpoints = f"member-*/{CHECKPOINT}"
    require_writable(output)
    require_free(output, resume, checkpoints)
    yield
    for checkpoint in output.glob(checkpoints):
        shutil.rmtree(checkpoint.parent)
