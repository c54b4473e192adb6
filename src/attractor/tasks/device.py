"""Where networks run: on the GPU where there is one."""

from __future__ import annotations

import torch


def device() -> torch.device:
    """Where networks run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
