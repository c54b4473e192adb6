"""Training on simulated damage: find, place by place, what was put into normal images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.errors import InputError
from attractor.models.damage_net import STRIDE, DamageNet, judged
from attractor.models.store import fingerprint
from attractor.training.damage import simulate_damage
from attractor.training.damage_shapes import log_uniform
from attractor.training.objective import Objective
from attractor.training.schedule import Schedule

VIEWS = 4096  # random views that make an epoch, however many images there are


def damage_schedule(epochs: int = 12, seed: int = 0) -> Schedule:
    """AdamW 2e-3, a short warm-up, cosine to zero, batch 32."""
    return Schedule(epochs, batch_size=32, lr=2e-3, weight_decay=1e-2, warmup_epochs=0.5, clip=1.0, seed=seed)


class DamageSpotting(Objective):
    r"""Balanced cross-entropy of places, logits ``s`` and damage ``t`` in 0, 1, plus the same of whole views.

    ``- sum t log sigmoid(s) / sum t - sum (1 - t) log sigmoid(-s) / sum (1 - t)``, over random views of ``size`` of
    normal images, about half of them damaged (:func:`attractor.training.damage.simulate_damage`). A place is damaged
    where one of its pixels is, a view where one of its places is; a view's logit is
    :func:`attractor.models.damage_net.judged`.

    ``images`` are uint8 ``(C, H, W)``, each at least as large as a view, else :class:`InputError`; ``net`` is trained
    in place.
    """

    def __init__(self, net: DamageNet, images: list[Tensor], size: tuple[int, int]):
        super().__init__()
        self.net, self.images, self.size = net, images, size
        for image in images:
            if image.shape[-2] < size[0] or image.shape[-1] < size[1]:
                raise InputError(f"images must be at least {size[0]} x {size[1]} pixels, not {tuple(image.shape[-2:])}")
        self.examples = VIEWS if images else 0
        self.settings = {"images": fingerprint(images), "net": fingerprint(net.parameters())}

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of as many random views as there are indices; example ``i`` is of image ``i`` modulo their number."""
        views = torch.stack([random_view(self.images[i % len(self.images)], self.size) for i in indices.tolist()])
        with torch.autocast(indices.device.type, enabled=False):
            damaged, masks = simulate_damage(relit(views.to(indices.device).float() / 255))
        logits = self.net(damaged).float()
        places = F.max_pool2d(masks.unsqueeze(1).float(), STRIDE, ceil_mode=True).squeeze(1)
        terms = {**_terms("", logits, places), **_terms("view_", judged(logits), places.amax(dim=(1, 2)))}
        return torch.stack(list(terms.values())).sum(), terms


def _terms(name: str, logits: Tensor, damaged: Tensor) -> dict[str, Tensor]:
    missed, false = balanced(F.softplus(-logits), damaged), balanced(F.softplus(logits), 1 - damaged)
    return {f"{name}missed": missed, f"{name}false": false}


def balanced(losses: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean; zero where there is no weight."""
    return (losses * weights).sum() / weights.sum().clamp(min=1e-6)


def random_view(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A random window ``(C, h, w)`` of ``(C, H, W)``, mirrored at random; windows at the border are not rarer."""
    for axis, length in zip((1, 2), size, strict=True):
        room = image.shape[axis] - length
        start = int(torch.randint(-(length // 4), room + length // 4 + 1, ()).clamp(0, room))
        image = image.narrow(axis, start, length)
        if torch.rand(()) < 0.5:
            image = image.flip(axis)
    return image


def relit(images: Tensor) -> Tensor:
    """Another brightness and contrast for every image, so that light alone tells nothing."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return ((images - mean) * log_uniform(images, 0.7, 1.4) + mean * log_uniform(images, 0.7, 1.4)).clamp(0, 1)
