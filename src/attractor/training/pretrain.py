"""Pretraining: repaint the image, name its class, and pull the latent to its class prototype."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from attractor.data.labelled import LabelledImages
from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig
from attractor.models.config import Config
from attractor.models.store import save_model
from attractor.scoring.reconstruction import reconstruction_energy
from attractor.training.augment import PretrainAugmentation, mixup
from attractor.training.objective import Objective
from attractor.training.recipe import Model, Recipe, require_reflected
from attractor.training.strict import Strict

if TYPE_CHECKING:
    from typing_extensions import Self


class Augmentation(Strict):
    """Strength of the augmentation; the defaults are the published ones."""

    padding: int = Field(default=8, ge=0)
    operations: int = Field(default=2, ge=1)
    magnitude: int = Field(default=9, ge=0, le=29)
    erasing: float = Field(default=0.25, ge=0, le=1)
    jitter: float = Field(default=0, ge=0, le=1)
    grey: float = Field(default=0, ge=0, le=1)
    blur: float = Field(default=0, ge=0, le=1)
    mixup: float = Field(default=0.5, ge=0, le=1)
    mixup_alpha: float = Field(default=0.2, gt=0)


class Weights(Strict):
    """Weights of the three losses."""

    reconstruction: float = Field(default=1.0, ge=0)
    classification: float = Field(default=1.0, ge=0)
    prototypes: float = Field(default=1.0, ge=0)


class PretrainRecipe(Recipe):
    """One pretraining run, as YAML files hold it; the defaults are the published setting."""

    command: ClassVar[str] = "attractor pretrain"
    kind: ClassVar[type[Config]] = SelyneConfig

    model: Model = "selyne-base"
    epochs: int = Field(72, ge=1)
    warmup_epochs: float = Field(5, ge=0)
    patience: int | None = Field(20, ge=1)
    label_smoothing: float = Field(0.03, ge=0, lt=1)
    keep_patches: float = Field(1.0, gt=0, le=1)  # share of the patches a training image goes on with
    repaint: float = Field(1.0, gt=0, le=1)  # share of each batch that the decoder repaints
    augmentation: Augmentation = Augmentation()
    weights: Weights = Weights()

    @model_validator(mode="after")
    def _reflects(self) -> Self:
        require_reflected("augmentation.padding", self.augmentation.padding, self.config(1).image_size)
        return self

    def config(self, classes: int) -> SelyneConfig:
        """Model sizes, with as many classes as the data has."""
        return SelyneConfig.from_dict({**self.sizes(), "classes": classes})

    def untrained(self, classes: int) -> Selyne:
        """The model with random weights."""
        return Selyne(self.config(classes))


class Pretraining(Objective):
    """``w_r * reconstruction + w_c * cross-entropy(smoothed) + w_p * prototype cross-entropy`` on mixed-up views."""

    score = "val_accuracy"

    def __init__(
        self, recipe: PretrainRecipe, train: LabelledImages, val: LabelledImages, device: torch.device | str = "cpu"
    ):
        super().__init__()
        if train.classes != val.classes:
            raise InputError(
                f"{recipe.train_split} and {recipe.val_split} have different classes; use the same ones in both"
            )
        self.recipe = recipe
        self.settings = recipe.model_dump(exclude={"name", "data"})  # which may be renamed and moved
        self.model: Selyne = recipe.network(len(train.classes))
        self.model.require_fit(train.images)
        self.images, self.labels = train.images.to(device), train.labels.to(device)
        self.val_images, self.val_labels = val.images.to(device), val.labels.to(device)
        self.examples = len(train.labels)
        a = recipe.augmentation
        self.augment = PretrainAugmentation(
            self.model.config.image_size, **a.model_dump(exclude={"mixup", "mixup_alpha"})
        )

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one augmented training batch."""
        stored = indices.to(self.images.device)
        images, labels = self.images[stored].to(indices.device), self.labels[stored].to(indices.device)
        with torch.autocast(indices.device.type, enabled=False):
            a = self.recipe.augmentation
            views = self.augment(images.float() / 255)
            views, targets = mixup(views, labels, self.model.config.classes, a.mixup, a.mixup_alpha)
            views = self.model.normalize(views)
        terms, logits = self.losses(views, targets, self.recipe.keep_patches, self.recipe.repaint)
        accuracy = (logits.argmax(-1) == labels).float().mean()
        return self.total(terms), {**terms, "accuracy": accuracy}

    def losses(
        self, images: Tensor, targets: Tensor, keep: float = 1.0, repaint: float = 1.0
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The three terms and the class logits; the first ``repaint`` of the batch is reconstructed."""
        encoding = self.model.encode(images, keep)
        smoothing = self.recipe.label_smoothing
        painted = max(1, round(len(images) * repaint))
        reconstruction = self.model.decoder(encoding.z[:painted], encoding.patches[:painted])
        with torch.autocast(images.device.type, enabled=False):
            z = encoding.z.float()
            logits = self.model.classifier(z)
            terms = {
                "reconstruction": reconstruction_energy(images[:painted], reconstruction.float()).mean(),
                "classification": F.cross_entropy(logits, targets, label_smoothing=smoothing),
                "prototypes": F.cross_entropy(self.model.prototype_logits(z), targets),
            }
        return terms, logits

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Weighted sum of the terms."""
        weights = self.recipe.weights
        return torch.stack([getattr(weights, name) * value for name, value in terms.items()]).sum()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss, its terms and the accuracy on the validation images, unaugmented."""
        sums: dict[str, float] = {}
        device = self.model.mean.device
        for stored, names in zip(self.val_images.split(256), self.val_labels.split(256), strict=True):
            images, labels = stored.to(device), names.to(device)
            terms, logits = self.losses(self.model.normalize(images), labels)
            accuracy = (logits.argmax(-1) == labels).float().mean()
            for name, value in {"loss": self.total(terms), **terms, "accuracy": accuracy}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(labels)
        return {f"val_{name}": value / len(self.val_labels) for name, value in sums.items()}

    def keep(self, name: str, folder: Path) -> None:
        """Write the model as a folder."""
        save_model(self.model, folder / name)
