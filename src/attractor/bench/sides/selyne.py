"""SELYNE: encoding, reconstructing, and a pretraining step, which does not clip gradients as the published one does."""

from __future__ import annotations

import torch
from torch.nn.functional import one_hot

from attractor.bench.sides.common import Pass, Spec, counted, device_mb, forward, prepare, train, versions
from attractor.data.labelled import LabelledImages
from attractor.models import Selyne, SelyneConfig
from attractor.training.pretrain import Pretraining, PretrainRecipe

__all__ = ["device_mb", "operations", "passes", "versions"]


SETTINGS = {"name": "bench", "data": "noise"}  # the rest as published


def pretraining(spec: Spec) -> Pretraining:
    """The published model, losses and setting, on images of noise; nothing is augmented."""
    images = torch.randint(256, (spec["batch"], 3, spec["image"], spec["image"]), dtype=torch.uint8)
    classes = [str(number) for number in range(SelyneConfig().classes)]
    data = LabelledImages(images, torch.arange(spec["batch"]), classes, unreadable=[])
    return Pretraining(PretrainRecipe.parse(SETTINGS, "bench"), data, data)


def passes(spec: Spec) -> dict[str, Pass]:
    """``encode`` and ``reconstruct`` a batch; ``train`` with the three losses and AdamW."""
    device = prepare(spec)
    task = pretraining(spec).to(device)
    frozen = Selyne(task.model.config).to(device).eval()
    images = frozen.normalize(task.images.to(device).float() / 255)
    targets = one_hot(task.labels.to(device), frozen.config.classes).float()

    def reconstruct() -> None:
        encoding = frozen.encode(images)
        frozen.decoder(encoding.z, encoding.patches)

    return {
        "encode": forward(lambda: frozen.encode(images), spec, device),
        "reconstruct": forward(reconstruct, spec, device),
        "train": train(list(task.parameters()), lambda: task.total(task.losses(images, targets)[0]), spec, device),
    }


def operations(spec: Spec) -> dict[str, float]:
    """Of the matrix products."""
    return counted(passes, spec)
