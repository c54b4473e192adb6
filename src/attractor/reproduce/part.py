"""The parts a row is measured in: a class that is normal, a fold, a kind of mask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Part:
    """One measurement: its ``name``, and the function that makes it and returns figures by measure."""

    name: str
    measure: Callable[[], dict[str, float]]
    variant: str = ""
    seed: int = 0

    def __str__(self) -> str:
        return ", ".join(filter(None, [self.variant, f"seed {self.seed}", self.name]))


class Kind(ABC):
    """How a kind of row is measured on the set ``data`` in ``folder``; ``work`` is for what takes long to make."""

    def __init__(self, data: str, folder: Path, work: Path):
        self.data, self.folder, self.work = data, folder.expanduser(), work

    @abstractmethod
    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """Everything measured with these settings and this seed."""

    def run_folder(self, settings: dict[str, Any], seed: int) -> Path:
        """Where the recipe of these settings is run with this seed."""
        return self.work / f"{settings['recipe']}-seed-{seed}"

    def weights(self, settings: dict[str, Any], seed: int) -> Path | None:
        """Folder of the weights these settings measure, which may not exist yet; None if there are none.

        ``settings["model"]`` must already be a folder.
        """
        return Path(settings["model"]) if "model" in settings else None
