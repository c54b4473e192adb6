"""An in-painter as one module of tensors: hidden pixels filled in by its descent."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from attractor.data.masks import central_block, patches_of, pixels_of, random_patches
from attractor.dynamics import Fixed
from attractor.dynamics.rules import find_rule
from attractor.errors import InputError
from attractor.interop.onnx import Portable
from attractor.models import ImageET
from attractor.models.patches import unpatchify
from attractor.tasks.inpainting.inpainter import Inpainter


class Filling(nn.Module):
    """Images ``(B, C, h, w)`` in 0..1 and their hidden pixels, bool ``(B, h, w)`` -> the same, filled in."""

    def __init__(self, painter: Inpainter):
        super().__init__()
        self.model: ImageET = copy.deepcopy(painter.ready()).cpu()
        self.steps, self.step_size = painter.steps, painter.step_size

    def forward(self, images: Tensor, hidden: Tensor) -> tuple[Tensor]:
        """See the class."""
        model, patch = self.model, self.model.config.patch
        views = model.normalize(images)
        tokens = model.tokens(views, patches_of(hidden, patch))
        x, _ = model.evolve(tokens, steps=self.steps, step_size=self.step_size)
        painted = model.denormalize(unpatchify(model.read(x), model.grid(views), patch))
        return (torch.where(hidden[:, None], painted, images),)


def portable_inpainter(painter: Inpainter) -> Portable:
    """An in-painter at its model's size; raises :class:`InputError` unless its descent is one of fixed steps."""
    rule = find_rule(painter.rule)
    if not isinstance(rule, Fixed) or rule.noise:
        raise InputError("only a descent of fixed steps without noise can be exported; take rule='fixed'")
    module = Filling(painter)
    config = module.model.config
    seeded = torch.Generator().manual_seed(0)
    images = torch.rand(2, config.channels, *config.image_size, generator=seeded)
    hidden = torch.cat([central_block(1, config.grid), random_patches(1, config.grid, 0.5, seeded)])
    inputs = {"images": images, "hidden": pixels_of(hidden, config.grid, config.patch)}
    steps = config.steps if painter.steps is None else painter.steps
    notes = {"steps": str(steps), "input": "floats in 0..1; hidden is True where a pixel is to be painted"}
    return Portable(module, inputs, dict.fromkeys(inputs, "images"), ("filled",), notes)
