"""The contract of every training: what is trained, on how many examples, and what the loop asks of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn


class Objective(nn.Module):
    """What is trained and on what: holds the model and the resident training set, and gives the loss of a batch.

    ``examples`` is the number of training examples. Augmentation and dropout draw from the global generators, which
    the loop seeds, checkpoints and puts back.
    """

    examples: int
    score: str | None = None  # validation figure whose maximum is "best"; None: the last weights are the result
    settings: dict[str, Any] = {}  # noqa: RUF012  plain values that a resumed run must share, beside the schedule

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of the training examples ``indices (B,)`` and the terms worth logging."""
        raise NotImplementedError

    def after_step(self) -> None:
        """Called after every optimizer step."""

    def validate(self) -> dict[str, float]:
        """Validation figures, named ``val_...``."""
        return {}

    def keep(self, name: str, folder: Path) -> None:
        """Write the model as ``folder/name``; called with ``"best"`` and ``"final"``."""
