"""What every command that trains from a recipe does before."""

from __future__ import annotations

import logging
from pathlib import Path

from attractor.files import require_writable


def start_run(output: Path, resume: bool) -> None:
    """Log a line an epoch, since runs take hours, and see that the run can be written and spoils no other."""
    from attractor.training.runs import require_free

    logging.getLogger("attractor.training").setLevel(logging.INFO)
    require_free(output, resume)
    require_writable(output)
