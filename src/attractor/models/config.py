"""Sizes of the models, frozen and validated; the named ones are here."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attractor.energy.memory import ACTIVATIONS
from attractor.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self


C = TypeVar("C", bound="Config")


class Config:
    """What every frozen configuration can do: become plain values for JSON, and be read from them."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote; unknown names raise :class:`InputError`."""
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        if unknown := set(values) - set(known):
            raise InputError(f"unknown model settings {sorted(unknown)}; known: {known}")
        return cls(**values)


@dataclass(frozen=True)
class SelyneConfig(Config):
    """Sizes of :class:`attractor.models.Selyne`; the defaults are the published 59.3 M model.

    ``image_size`` is (height, width) in pixels, ``patch_sizes`` in pixels (each must divide both sides),
    ``decoder_depth`` defaults to ``depth``, ``attention`` is ``"gloeba"`` or ``"standard"``.
    ``normalize_keys`` gives Gloeba's keys unit length before the scale of their head (published); without it scores
    are the plain bilinear form.
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
            _make_count(self, name)
        if self.decoder_depth is not None:
            _make_count(self, "decoder_depth")
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
        _choice("attention", self.attention, ("gloeba", "standard"))

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


@dataclass(frozen=True)
class ImageETConfig(Config):
    """Sizes of :class:`attractor.models.ImageET`; the defaults are the published ImageNet model.

    ``image_size`` is (height, width) in pixels, ``patch`` in pixels (it must divide both). Each of ``blocks`` takes
    ``steps`` steps of ``step_size``. ``beta`` defaults to ``1/sqrt(head_dim)``.

    Three settings exist for published weights. ``include_self``: a token attends to itself too. ``readout``: what the
    decoder sees, ``"norm"`` (the last block's g), ``"norm-twice"`` (the norm applied to g again, as the published JAX
    code does) or ``"layer"`` (a LayerNorm of its own, with ``readout_eps``, where the published PyTorch code has the
    token width in place of an epsilon).
    """

    image_size: tuple[int, int] = (224, 224)
    channels: int = 3
    patch: int = 16
    dim: int = 768
    heads: int = 12
    head_dim: int = 64
    memories: int = 3072
    blocks: int = 1
    steps: int = 12
    step_size: float = 0.1
    activation: str = "relu"
    beta: float | None = None
    attention_bias: bool = False
    memory_bias: bool = False
    include_self: bool = False
    readout: str = "norm"
    readout_eps: float = 1e-5

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", _counts("image_size", self.image_size))
        for name in ("patch", "dim", "heads", "head_dim", "memories", "blocks", "steps"):
            _make_count(self, name)
        if len(self.image_size) != 2 or any(side % self.patch for side in self.image_size):
            raise InputError(f"image_size {list(self.image_size)} must be two multiples of the patch, {self.patch}")
        if self.channels not in (1, 3):
            raise InputError(f"channels must be 1 or 3, not {self.channels!r}")
        for name in ("step_size", "readout_eps", *(["beta"] if self.beta is not None else [])):
            _number(name, getattr(self, name), 1e-12, math.inf)
        _choice("activation", self.activation, ACTIVATIONS)
        _choice("readout", self.readout, ("norm", "norm-twice", "layer"))

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.image_size[0] // self.patch, self.image_size[1] // self.patch


@dataclass(frozen=True)
class NodeETConfig(Config):
    """Sizes of :class:`attractor.models.NodeET`, of which ``features`` is the data's.

    ``relations``: kinds of edges, each with an attention energy of its own. The descent is ``steps`` of ``step_size``.
    """

    features: int
    relations: int = 1
    classes: int = 2
    dim: int = 64
    heads: int = 2
    head_dim: int = 32
    memories: int = 128
    steps: int = 2
    step_size: float = 0.5
    dropout: float = 0.3

    def __post_init__(self) -> None:
        for name in ("features", "relations", "classes", "dim", "heads", "head_dim", "memories", "steps"):
            _make_count(self, name)
        _number("step_size", self.step_size, 1e-12, math.inf)
        _number("dropout", self.dropout, 0, 1)


@dataclass(frozen=True)
class GraphETConfig(Config):
    """Sizes of :class:`attractor.models.GraphET`, of which the first four are the data's.

    ``features`` and ``positions`` of nodes, ``links`` of edges (see :class:`attractor.models.GraphBatch`), ``classes``
    of graphs. Each of ``blocks`` takes ``steps`` steps of ``step_size``. ``activation`` is that of the memory.
    ``eigenvectors`` of the Laplacian are read beside the positions; in training each has a random sign.
    ``noise``: of the Langevin walk in training, 0 for none.
    """

    features: int
    positions: int
    links: int
    classes: int
    eigenvectors: int = 0
    dim: int = 64
    heads: int = 4
    head_dim: int = 16
    memories: int = 256
    blocks: int = 4
    steps: int = 1
    step_size: float = 0.5
    activation: str = "relu"
    noise: float = 0.0
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("positions", "links", "classes", "dim", "heads", "head_dim", "memories", "blocks", "steps"):
            _make_count(self, name)
        for name in ("features", "eigenvectors"):
            _make_count(self, name, least=0)
        _number("step_size", self.step_size, 1e-12, math.inf)
        _number("noise", self.noise, 0, math.inf)
        _choice("activation", self.activation, ACTIVATIONS)
        _number("dropout", self.dropout, 0, 1)


def _counts(name: str, values: Any) -> tuple[int, ...]:
    """A list of positive whole numbers, as JSON and YAML bring it, as a tuple."""
    if not isinstance(values, (list, tuple)) or not values:
        raise InputError(f"{name} must be a list of whole numbers, not {values!r}")
    return tuple(_count(name, value, 1) for value in values)


def _make_count(config: Config, name: str, least: int = 1) -> None:
    """Make a setting, a whole number of any kind such as NumPy's, Python's own, which every file takes."""
    object.__setattr__(config, name, _count(name, getattr(config, name), least))


def _count(name: str, value: Any, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} must be a whole number of {least} or more, not {value!r}")
    return int(value)


def _number(name: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, (int, float)) or not low <= value < high:
        raise InputError(f"{name} must be a number of at least {low:.3g} and below {high:.3g}, not {value!r}")


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        *others, last = map(repr, choices)
        raise InputError(f"{name} must be {', '.join(others)} or {last}, not {value!r}")


PRESETS: dict[str, Config] = {
    "selyne-base": SelyneConfig(),
    "selyne-tiny": SelyneConfig(dim=192, latent=128, heads=3, depth=6, decoder_depth=2, prototypes=8, dropout=0.0),
    "et-base": ImageETConfig(),
    "et-tiny": ImageETConfig(
        image_size=(64, 64), patch=8, dim=256, heads=8, head_dim=32, memories=1024, steps=12, step_size=0.15
    ),
}


def preset(name: str, kind: type[C]) -> C:
    """Configuration of that name and kind; an unknown name, or another kind's, raises :class:`InputError`."""
    known = sorted(n for n, config in PRESETS.items() if isinstance(config, kind))
    if name not in known:
        raise InputError(f"no {kind.__name__.removesuffix('Config')} named {name!r}; known: {', '.join(known)}")
    return cast(C, PRESETS[name])
