"""The scores a detector offers, by name: what each reads off the network, and how that becomes one number a view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.errors import InputError
from attractor.models import SelyneConfig
from attractor.models.damage_net import STRIDE, DamageNet, judged
from attractor.models.features import Features, width
from attractor.scoring.gaussian import LatentGaussian
from attractor.scoring.neighbours import NearestNeighbours
from attractor.scoring.places import PlaceNeighbours
from attractor.scoring.reconstruction import reconstruction_energy
from attractor.scoring.reservoir import Reservoir

BANK = 20_000  # views that nearest neighbours keep, chosen at random beyond that
IMAGES = 3_000  # images whose patches are kept place by place
MIRRORS = ((), (-1,), (-2,), (-1, -2))  # axes of a view or of what is said of its places


class Method(nn.Module):
    """One way to score views; fitted by ``update`` and ``finish``, memory independent of the number of images.

    ``grid``: rows and columns of the places that a local method scores; ``by_map``: an image is scored by the map that
    the places of all its views make, not by its worst view.
    """

    grid: tuple[int, int]
    by_map = True

    def update(self, features: Features) -> None:
        """Take in the features of normal views."""

    def finish(self) -> None:
        """End the fit."""

    def forward(self, features: Features) -> Tensor:
        """Score of every view ``(V,)``, or of every place of it ``(V, N)``; higher is more anomalous."""
        raise NotImplementedError

    def of_views(self, scored: Tensor) -> Tensor:
        """The score of every view, ``(V,)``, from what :meth:`forward` gave: that of its worst place."""
        return scored if scored.ndim == 1 else scored.amax(dim=1)

    def factor(self, scored: Tensor) -> Tensor:
        """What places scored as above put into a product: the same, unless that can be negative."""
        return scored


class GaussianMethod(Method):
    """Squared Mahalanobis distance of one of the features under its Ledoit-Wolf Gaussian.

    Features with a patch axis, ``(V, N, D)``, share one Gaussian over all patches and give ``(V, N)``.
    """

    def __init__(self, field: str, config: SelyneConfig):
        super().__init__()
        self.field, self.gaussian = field, LatentGaussian(width(field, config))
        self.grid = config.grids[config.finest]

    def update(self, features: Features) -> None:
        """Take in the features of normal views."""
        values = getattr(features, self.field)
        self.gaussian.update(values.reshape(-1, values.shape[-1]))

    def finish(self) -> None:
        """End the fit."""
        self.gaussian.finish()

    def forward(self, features: Features) -> Tensor:
        """``(V,)``, or ``(V, N)`` for patches."""
        values = getattr(features, self.field)
        return self.gaussian.score(values.reshape(-1, values.shape[-1])).view(values.shape[:-1])


class LevelsMethod(Method):
    r"""Geometric mean over the blocks of ``d_l^2``, each block with a Gaussian of its own.

    ``d_l^2`` is the squared Mahalanobis distance of the mean and spread of block l's patch tokens. Source: Rippel et
    al. 2021, Modeling the distribution of normal data in pre-trained deep features.
    """

    def __init__(self, config: SelyneConfig):
        super().__init__()
        self.gaussians = nn.ModuleList(LatentGaussian(width("levels", config)) for _ in range(config.depth))

    def update(self, features: Features) -> None:
        """Take in the features of normal views."""
        for gaussian, values in self.each(features):
            gaussian.update(values)

    def finish(self) -> None:
        """End the fit."""
        for gaussian in self.gaussians:
            cast(LatentGaussian, gaussian).finish()

    def forward(self, features: Features) -> Tensor:
        """``(V,)``."""
        return geometric_mean([gaussian.score(values) for gaussian, values in self.each(features)])

    def each(self, features: Features) -> Iterator[tuple[LatentGaussian, Tensor]]:
        """Every block's Gaussian with what it is about, ``(V, 2 D)``."""
        return zip(cast(list[LatentGaussian], self.gaussians), features.levels.unbind(1), strict=True)


class NeighboursMethod(Method):
    """Mean cosine distance of one of the features to its five nearest normal neighbours."""

    def __init__(self, field: str, limit: int = BANK):
        super().__init__()
        self.field, self.neighbours = field, NearestNeighbours()
        self.sample = Reservoir(limit)

    def update(self, features: Features) -> None:
        """Take in the features of normal views; beyond ``limit`` a uniform random sample of all seen stays."""
        self.sample.add(getattr(features, self.field))

    def finish(self) -> None:
        """End the fit."""
        self.neighbours.fit(self.sample.take())

    def forward(self, features: Features) -> Tensor:
        """``(V,)``."""
        return self.neighbours.score(getattr(features, self.field)).double()


class PlacesMethod(Method):
    """Cosine distance of a patch to the nearest at the same place of the normal images most alike."""

    def __init__(self, config: SelyneConfig):
        super().__init__()
        self.neighbours = PlaceNeighbours(width("patches", config))
        self.grid = config.grids[config.finest]
        self.sample = Reservoir(IMAGES)

    def update(self, features: Features) -> None:
        """Take in the features of normal views; beyond ``IMAGES`` a uniform random sample of all seen stays."""
        self.sample.add(features.patches.half())

    def finish(self) -> None:
        """End the fit."""
        self.neighbours.fit(self.sample.take())

    def forward(self, features: Features) -> Tensor:
        """``(V, N)``."""
        return self.neighbours(features.patches).double()


class DamageMethod(Method):
    """How sure a small convolution net on the pixels is that a place is damaged, as a logit ``s``.

    A view scores ``-log P(whole) = log(1 + e^s)`` at its most damaged places. The net is trained on simulated damage,
    mirrored at random, and asked of the view and its three mirror images, whose logits are averaged; nothing is fitted
    after.
    """

    by_map = False

    def __init__(self, config: SelyneConfig):
        super().__init__()
        self.net = DamageNet(config.channels)
        h, w = config.image_size
        self.grid = (-(-h // STRIDE), -(-w // STRIDE))

    def forward(self, features: Features) -> Tensor:
        """``(V, N)``."""
        views = self.net.denormalize(features.images)
        return torch.stack([self.net(views.flip(axes)).flip(axes) for axes in MIRRORS]).mean(0).flatten(1).double()

    def of_views(self, scored: Tensor) -> Tensor:
        """``(V, N) -> (V,)``."""
        return self.factor(judged(scored.float().unflatten(1, self.grid))).double()

    def factor(self, scored: Tensor) -> Tensor:
        """``-log P(whole)``."""
        return F.softplus(scored)


class ReconstructionMethod(Method):
    """The four-term reconstruction energy; nothing to fit."""

    def forward(self, features: Features) -> Tensor:
        """``(V,)``."""
        return reconstruction_energy(features.images, features.reconstruction).double()


METHODS = {
    "mahalanobis": lambda config: GaussianMethod("latent", config),
    "knn": lambda config: NeighboursMethod("latent"),
    "levels": LevelsMethod,
    "places": PlacesMethod,
    "patches": lambda config: GaussianMethod("patches", config),
    "reconstruction": lambda config: ReconstructionMethod(),
    "free_energy": lambda config: GaussianMethod("free_energy", config),
    "damage": DamageMethod,
}
COMBINED = ("mahalanobis", "knn", "levels", "places")  # what the score "combined" is the geometric mean of
COMBINED_TILES = ("knn", "levels", "damage")  # and with tiles: of the oddest tile, the whole image, what is damaged
OVERVIEW = ("levels",)  # read off the whole image where there are tiles too
NEEDS = {
    "free_energy": "a model with attention 'gloeba'",
    "damage": "tuning='damage'",
    "places": "whole images, not tiles",
}


def methods_for(config: SelyneConfig, *, tiles: bool = False, damage: bool = False) -> nn.ModuleDict:
    """Every method that works: free energy is Gloeba's alone, tiles have no place, ``damage`` must be trained."""
    possible = {"free_energy": config.attention == "gloeba", "damage": damage, "places": not tiles}
    return nn.ModuleDict({name: make(config) for name, make in METHODS.items() if possible.get(name, True)})


def geometric_mean(scores: list[Tensor]) -> Tensor:
    """``exp(mean log s)`` of scores ``(V,)``: no score's units or scale count for more than another's.

    Below 1e-12 they count as that, so that one which is 0 does not make all of it 0.
    """
    return torch.stack(scores).clamp_min(1e-12).log().mean(dim=0).exp()


def check_method(name: str, available: list[str]) -> str:
    """The name itself, if it is a method; else :class:`InputError` listing them."""
    if name not in available and name in [*NEEDS]:
        raise InputError(f"the score {name!r} needs {NEEDS[name]}; choose one of {', '.join(available)}")
    if name not in available:
        raise InputError(f"no score named {name!r}; choose one of {', '.join(available)}")
    return name
