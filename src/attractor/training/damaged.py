"""Training on simulated damage: find, patch by patch, what was put into normal images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attractor.models import Selyne
from attractor.models.features import patch_tokens
from attractor.models.store import fingerprint
from attractor.training.damage import log_uniform, simulate_damage
from attractor.training.loop import Objective, Schedule

VIEWS = 4096  # random views that make an epoch, however many images there are
FULL = 0.25  # share of a patch that must be damaged for it to count whole: cracks are thin


def damage_schedule(epochs: int = 12, seed: int = 0) -> Schedule:
    """AdamW 6e-4, a short warm-up, cosine to zero, batch 32."""
    return Schedule(epochs, batch_size=32, lr=6e-4, weight_decay=1e-2, warmup_epochs=0.25, clip=1.0, seed=seed)


class DamageSpotting(Objective):
    r"""Balanced cross-entropy between patch logits ``s`` and the damaged share ``t`` of the patches.

    ``- sum t log sigmoid(s) / sum t - sum (1 - t) log sigmoid(-s) / sum (1 - t)``, over random views of normal
    images, about half of them damaged (:func:`attractor.training.damage.simulate_damage`).

    ``images`` are uint8 ``(C, H, W)``, each at least as large as the model's views, else :class:`InputError`; model
    and ``head`` (patch tokens ``(V, N, D) -> (V, N)``) are trained in place.
    """

    def __init__(self, model: Selyne, head: nn.Module, images: list[Tensor]):
        super().__init__()
        self.model, self.head, self.images = model, head, images
        self.size = model.config.image_size
        for image in images:
            model.require_fit(image[None, :, : self.size[0], : self.size[1]])
        self.examples = VIEWS if images else 0
        self.settings = {"images": fingerprint(images), "model": fingerprint(model.parameters())}

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of as many random views as there are indices; example ``i`` is of image ``i`` modulo their number."""
        views = torch.stack([random_view(self.images[i % len(self.images)], self.size) for i in indices.tolist()])
        with torch.autocast(indices.device.type, enabled=False):
            damaged, masks = simulate_damage(relit(views.to(indices.device).float() / 255))
            images = self.model.normalize(damaged)
        logits = self.head(patch_tokens(self.model, self.model.encode(images).hidden)).float()
        patch = self.model.config.patch_sizes[self.model.config.finest]
        share = (F.avg_pool2d(masks[:, None].float(), patch).flatten(1) / FULL).clamp(max=1)
        missed, false = balanced(F.softplus(-logits), share), balanced(F.softplus(logits), 1 - share)
        return missed + false, {"missed": missed, "false": false}


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
