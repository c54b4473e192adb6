"""One-class fine-tuning: repaint normal images, and agree with a slow teacher on what they are."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.models import Selyne
from attractor.models.store import fingerprint
from attractor.scoring.reconstruction import reconstruction_energy
from attractor.training.augment import LightViews
from attractor.training.objective import Objective
from attractor.training.schedule import Schedule

RECONSTRUCTION_WEIGHT = math.log(5)
CONSISTENCY_WEIGHT = math.pi / 10
TEACHER_DECAY = 0.99
TARGET_DEVIATION = 0.5


def published_schedule(epochs: int = 10, seed: int = 0) -> Schedule:
    """The published fine-tuning schedule: AdamW 6e-4, weight decay 1e-4, cosine to 3e-7, batch 32, clip 5."""
    return Schedule(epochs, batch_size=32, lr=6e-4, weight_decay=1e-4, final_lr=3e-7, clip=5.0, seed=seed)


def latent_consistency(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Disagreement with the teacher, and how far the latent has collapsed.

    ``invariance = |s - t|^2`` of the unit vectors, ``variance = mean_d relu(0.5 - sqrt(var_d + 1e-4))`` over the
    batch. Shapes: ``(B, L), (B, L) -> (), ()``. Source: SELYNE, one-class fine-tuning.
    """
    invariance = (2 - 2 * F.cosine_similarity(student, teacher, dim=-1)).mean()
    deviation = (student.var(dim=0, correction=0) + 1e-4).sqrt()
    return invariance, F.relu(TARGET_DEVIATION - deviation).mean()


class OneClass(Objective):
    """``ln 5 * reconstruction + pi/10 * (invariance + variance)`` on two light views of normal images.

    ``images`` are uint8 ``(N, C, H, W)`` of the model's size, else :class:`InputError`; ``model`` is trained in
    place, its teacher follows with decay 0.99.
    """

    def __init__(self, model: Selyne, images: Tensor):
        super().__init__()
        model.require_fit(images)
        self.model = model
        self.teacher = copy.deepcopy(model).eval().requires_grad_(False)
        self.images, self.examples = images, len(images)
        self.settings = {"images": fingerprint([images]), "model": fingerprint(model.parameters())}
        self.views = LightViews(model.config.image_size)

    def train(self, mode: bool = True) -> OneClass:
        """Train the student; the teacher always evaluates."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch of normal images."""
        images = self.images[indices.to(self.images.device)].to(indices.device)
        with torch.autocast(images.device.type, enabled=False):
            images = images.float() / 255
            one, two = (self.model.normalize(self.views(images)) for _ in range(2))
        encoding = self.model.encode(one)
        reconstruction = self.model.decode(encoding)
        with torch.no_grad():
            target = self.teacher.encode(two).z
        with torch.autocast(images.device.type, enabled=False):
            repainted = reconstruction_energy(one, reconstruction.float()).mean()
            invariance, variance = latent_consistency(encoding.z.float(), target.float())
        loss = RECONSTRUCTION_WEIGHT * repainted + CONSISTENCY_WEIGHT * (invariance + variance)
        return loss, {"reconstruction": repainted, "invariance": invariance, "variance": variance}

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the teacher towards the student."""
        for slow, fast in zip(self.teacher.parameters(), self.model.parameters(), strict=True):
            slow.lerp_(fast, 1 - TEACHER_DECAY)
