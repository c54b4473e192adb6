"""Sizes of the models, frozen and validated; the named ones are here."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from attractor.errors import InputError


@dataclass(frozen=True)
class SelyneConfig:
    """Sizes of :class:`attractor.models.Selyne`; the defaults are the published 59.3 M model.

    ``image_size`` is (height, width) in pixels, ``patch_sizes`` in pixels (each must divide both sides),
    ``decoder_depth`` defaults to ``depth``, ``attention`` is ``"gloeba"`` or ``"standard"``.
    """

    image_size: tuple[int, int] = (64, 64)
    channels: int = 3
    patch_sizes: tuple[int, ...] = (8,)
    dim: int = 512
    latent: int = 384
    heads: int = 8
    depth: int = 6
    decoder_depth: int | None = None
    prototypes: int = 32
    mlp_ratio: float = 4.0
    dropout: float = 0.1
    classes: int = 200
    attention: str = "gloeba"
    normalize_keys: bool = True

    def __post_init__(self) -> None:
        for name in ("image_size", "patch_sizes"):
            object.__setattr__(self, name, _counts(name, getattr(self, name)))
        for name in ("dim", "latent", "heads", "depth", "prototypes", "classes"):
            _counts(name, [getattr(self, name)])
        if self.decoder_depth is not None:
            _counts("decoder_depth", [self.decoder_depth])
        if len(self.image_size) != 2:
            raise InputError(f"image_size must be [height, width], not {list(self.image_size)}")
        height, width = self.image_size
        for patch in self.patch_sizes:
            if height % patch or width % patch:
                raise InputError(
                    f"patch size {patch} does not divide image size {height} x {width}; choose a common divisor"
                )
        if self.dim % self.heads:
            raise InputError(f"dim {self.dim} is not a multiple of heads {self.heads}; choose a multiple")
        if self.channels not in (1, 3):
            raise InputError(f"channels must be 1 or 3, not {self.channels!r}")
        _number("dropout", self.dropout, 0, 1)
        _number("mlp_ratio", self.mlp_ratio, 1 / self.dim, math.inf)
        if self.attention not in ("gloeba", "standard"):
            raise InputError(f"attention must be 'gloeba' or 'standard', not {self.attention!r}")

    @property
    def grids(self) -> list[tuple[int, int]]:
        """Patch rows and columns of every scale."""
        return [(self.image_size[0] // p, self.image_size[1] // p) for p in self.patch_sizes]

    @property
    def tokens(self) -> int:
        """Patch tokens over all scales."""
        return sum(rows * columns for rows, columns in self.grids)

    @property
    def finest(self) -> int:
        """Index of the smallest patch size: the scale the decoder paints and heat maps are drawn at."""
        return min(range(len(self.patch_sizes)), key=lambda i: self.patch_sizes[i])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SelyneConfig:
        """Read what :meth:`to_dict` wrote; unknown names raise :class:`InputError`."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"unknown model settings {sorted(unknown)}; known: {[f.name for f in fields(cls)]}")
        return cls(**values)


def _counts(name: str, values: Any) -> tuple[int, ...]:
    """A list of positive whole numbers, as JSON and YAML bring it, as a tuple."""
    if not isinstance(values, (list, tuple)) or not values:
        raise InputError(f"{name} must be a list of whole numbers, not {values!r}")
    for value in values:
        if type(value) is not int or value < 1:
            raise InputError(f"{name} must be a whole number of 1 or more, not {value!r}")
    return tuple(values)


def _number(name: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, (int, float)) or not low <= value < high:
        raise InputError(f"{name} must be a number of at least {low:.3g} and below {high:.3g}, not {value!r}")


PRESETS = {
    "selyne-base": SelyneConfig(),
    "selyne-tiny": SelyneConfig(dim=192, latent=128, heads=3, depth=6, decoder_depth=2, prototypes=8, dropout=0.0),
}


def preset(name: str) -> SelyneConfig:
    """Configuration of that name; an unknown one raises :class:`InputError`."""
    if name not in PRESETS:
        raise InputError(f"no model named {name!r}; known: {', '.join(sorted(PRESETS))}")
    return PRESETS[name]
