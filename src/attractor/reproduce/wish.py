"""What the user wants otherwise than a row says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote
from typing import Any

from attractor.errors import InputError
from attractor.reproduce.row import Row
from attractor.tasks.settings import SEEDS


@dataclass(frozen=True)
class Wish:
    """``seeds`` and ``variants`` instead of the row's own, ``settings`` over all others."""

    seeds: list[int] | None = None
    variants: list[str] | None = None
    settings: dict[str, Any] | None = None

    def upon(self, row: Row) -> Row:
        """The row as wished; unknown variants, impossible seeds, a model for none raise :class:`InputError`."""
        for seed in self.seeds or ():
            if not 0 <= seed < SEEDS:
                raise InputError(f"seed {seed} cannot be; choose one from 0 to {SEEDS - 1}")
        variants = {name: self._over(row, name) for name in self.variants or row.variants}
        return row.model_copy(update={"seeds": self.seeds or row.seeds, "variants": variants})

    def _over(self, row: Row, variant: str) -> dict[str, Any]:
        settings, mine = row.of(variant), self.settings or {}
        if "model" in mine and "model" not in settings:
            raise InputError(f"{row.name}, {variant}: takes no model from elsewhere; leave out --model")
        return {**settings, **mine}

    def command(self, row: Row, seeds: Iterable[int]) -> str:
        """What measures the same: a row with these settings, and with these seeds where it has not all of them."""
        options = list((self.settings or {}).items())
        options += [("seeds", seed) for seed in seeds] if not set(seeds) <= set(row.seeds) else []
        return " ".join([f"attractor reproduce {row.name} --data DIR", *(f"--{k} {quote(str(v))}" for k, v in options)])


AS_IT_IS = Wish()
