"""Training to in-paint: hide patches, descend, and compare what the tokens show with what was there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor

from attractor.data.masks import central_block, pixels_of, random_blocks, random_patches
from attractor.models import ImageET, ImageETConfig
from attractor.models.config import Config
from attractor.models.patches import patchify
from attractor.models.store import save_model
from attractor.scoring.inpainting import hidden_mse, psnr
from attractor.training.augment import LightViews
from attractor.training.objective import Objective
from attractor.training.recipe import Beta, Model, Recipe, require_reflected
from attractor.training.strict import Strict

if TYPE_CHECKING:
    from typing_extensions import Self

VALIDATED = 1000  # images looked at after every epoch


class Hiding(Strict):
    """What is hidden in training: in a share ``blocks`` of the images one rectangle, else ``share`` of the patches.

    Of the hidden patches a share ``left`` goes in as it is, so that a visible patch is not always taken on trust; the
    loss is on all of them.
    """

    share: float = Field(default=0.5, gt=0, lt=1)
    blocks: float = Field(default=0.5, ge=0, le=1)
    left: float = Field(default=0.1, ge=0, lt=1)


class InpaintRecipe(Recipe):
    """One in-painting run; the defaults are the published ImageNet setting, but for the masks.

    Of 196 patches 98 are hidden, or a block; published: 100.
    """

    command: ClassVar[str] = "attractor inpaint fit --recipe"
    kind: ClassVar[type[Config]] = ImageETConfig

    model: Model = "et-base"
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(768, ge=1)
    final_lr: float = Field(5e-7, ge=0)
    betas: tuple[Beta, Beta] = (0.9, 0.99)
    warmup_epochs: float = Field(2, ge=0)
    clip: float = Field(1.0, gt=0)
    hiding: Hiding = Hiding()
    shift: int = Field(4, ge=0)  # pixels by which a training view may be moved, borders reflected

    @model_validator(mode="after")
    def _reflects(self) -> Self:
        require_reflected("shift", self.shift, self.config().image_size)
        return self

    def config(self) -> ImageETConfig:
        """Model sizes."""
        return ImageETConfig.from_dict(self.sizes())

    def untrained(self, classes: int) -> ImageET:
        """The model with random weights."""
        return ImageET(self.config())


class Inpainting(Objective):
    """Mean squared error on hidden patches, in normalised pixels; images uint8 ``(N, C, H, W)`` stay resident."""

    def __init__(
        self, recipe: InpaintRecipe, images: Tensor, val_images: Tensor | None = None, model: ImageET | None = None
    ):
        super().__init__()
        self.recipe = recipe
        self.settings = recipe.model_dump(exclude={"name", "data", "start"})  # which may be renamed and moved
        self.model: ImageET = model or recipe.network()
        self.images, self.val_images, self.examples = images, val_images, len(images)
        if len(images):
            self.grid = self.model.grid(images)
        size = (images.shape[2], images.shape[3])
        require_reflected("shift", recipe.shift, size)
        self.augment = LightViews(size, recipe.shift)

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch under freshly drawn masks."""
        device = indices.device
        images = self.images[indices.to(self.images.device)].to(device)
        with torch.autocast(device.type, enabled=False):
            views = self.model.normalize(self.augment(images.float() / 255))
        hidden, replaced = self.hide(len(views))
        patches = self.model(views, replaced.to(device)).float()
        error = (patches - patchify(views, self.model.config.patch)).square().mean(dim=-1)
        loss = error[hidden.to(device)].mean()
        return loss, {"mse": loss}

    def hide(self, count: int) -> tuple[Tensor, Tensor]:
        """Which patches the loss is on, and which of them the mask token replaces; bool ``(count, N)`` each."""
        h = self.recipe.hiding
        block = torch.rand(count, 1) < h.blocks
        hidden = torch.where(block, random_blocks(count, self.grid), random_patches(count, self.grid, h.share))
        return hidden, hidden & (torch.rand(hidden.shape) >= h.left)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """PSNR on the first validation images, half of the patches hidden at random, and the central block."""
        if self.val_images is None:
            return {}
        images = self.val_images[:VALIDATED]
        generator = torch.Generator().manual_seed(0)
        masks = {
            "random": random_patches(len(images), self.grid, 0.5, generator),
            "block": central_block(len(images), self.grid),
        }
        return {f"val_psnr_{name}": self.mean_psnr(images, hidden) for name, hidden in masks.items()}

    def mean_psnr(self, images: Tensor, hidden: Tensor) -> float:
        """Mean PSNR of the images' hidden pixels."""
        device, patch = self.model.mean.device, self.model.config.patch
        figures = []
        for batch, holes in zip(images.split(256), hidden.split(256), strict=True):
            given = batch.to(device).float() / 255
            filled = self.model.denormalize(self.model.inpaint(self.model.normalize(given), holes.to(device)))
            figures.append(psnr(hidden_mse(given, filled, pixels_of(holes.to(device), self.grid, patch))))
        return float(torch.cat(figures).mean())

    def keep(self, name: str, folder: Path) -> None:
        """Write the model as a folder."""
        save_model(self.model, folder / name)
