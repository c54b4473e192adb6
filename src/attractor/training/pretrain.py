"""Pretraining: repaint the image, name its class, and pull the latent to its class prototype."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from attractor.data.classes import ClassImages
from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig, preset
from attractor.models.store import save_model
from attractor.scoring.reconstruction import reconstruction_energy
from attractor.training.augment import PretrainAugmentation, mixup
from attractor.training.loop import Objective, Schedule, has_bf16


class Strict(BaseModel):
    """A section of a recipe in which an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Augmentation(Strict):
    """Strength of the augmentation; the defaults are the published ones."""

    padding: int = 8
    operations: int = 2
    magnitude: int = 9
    erasing: float = 0.25
    mixup: float = 0.5
    mixup_alpha: float = 0.2


class Weights(Strict):
    """Weights of the three losses."""

    reconstruction: float = 1.0
    classification: float = 1.0
    prototypes: float = 1.0


class PretrainRecipe(Strict):
    """One pretraining run, as the YAML files under ``recipes/`` hold it; the defaults are the published setting."""

    name: str
    model: str | dict = "selyne-base"
    data: str
    train_split: str = "train"
    val_split: str = "val"
    epochs: int = Field(72, ge=1)
    batch_size: int = Field(64, ge=1)
    lr: float = Field(5e-4, gt=0)
    weight_decay: float = 0.05
    warmup_epochs: float = 5
    clip: float = 5.0
    patience: int | None = 20
    label_smoothing: float = 0.03
    keep_patches: float = Field(1.0, gt=0, le=1)  # share of the patches a training image goes on with
    repaint: float = Field(1.0, gt=0, le=1)  # share of each batch that the decoder repaints
    precision: str = "auto"
    seed: int = 0
    augmentation: Augmentation = Augmentation()
    weights: Weights = Weights()

    @classmethod
    def parse(cls, values: object, source: str) -> PretrainRecipe:
        """Validate plain values; the first problem is raised as one-line :class:`InputError`."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "recipe"
            raise InputError(f"{source}: {where}: {first['msg']}") from None

    def config(self, classes: int) -> SelyneConfig:
        """Model sizes, with as many classes as the data has."""
        base = preset(self.model).to_dict() if isinstance(self.model, str) else dict(self.model)
        return SelyneConfig.from_dict({**base, "classes": classes})

    def schedule(self) -> Schedule:
        """The loop's part of the recipe."""
        names = ("epochs", "batch_size", "lr", "weight_decay", "warmup_epochs", "clip", "patience", "precision", "seed")
        return Schedule(**{name: getattr(self, name) for name in names})


class Pretraining(Objective):
    """``w_r * reconstruction + w_c * cross-entropy(smoothed) + w_p * prototype cross-entropy`` on mixed-up views."""

    score = "val_accuracy"

    def __init__(self, recipe: PretrainRecipe, train: ClassImages, val: ClassImages, device: torch.device | str = "cpu"):
        super().__init__()
        if train.classes != val.classes:
            raise InputError(f"{recipe.train_split} has {len(train.classes)} classes, {recipe.val_split} {len(val.classes)} other ones")
        self.recipe = recipe
        self.model = Selyne(recipe.config(len(train.classes)))
        self.images, self.labels = train.images.to(device), train.labels.to(device)
        self.val_images, self.val_labels = val.images.to(device), val.labels.to(device)
        self.examples = len(train.labels)
        a = recipe.augmentation
        self.augment = PretrainAugmentation(
            self.model.config.image_size, a.padding, a.operations, a.magnitude, a.erasing
        )

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one augmented training batch."""
        indices = indices.to(self.images.device)
        with torch.autocast(self.images.device.type, enabled=False):
            views = self.augment(self.images[indices].float() / 255)
            a = self.recipe.augmentation
            views, targets = mixup(views, self.labels[indices], self.model.config.classes, a.mixup, a.mixup_alpha)
            views = self.model.normalize(views)
        terms, logits = self.losses(views, targets, self.recipe.keep_patches, self.recipe.repaint)
        accuracy = (logits.argmax(-1) == self.labels[indices]).float().mean()
        return self.total(terms), {**terms, "accuracy": accuracy}

    def losses(
        self, images: Tensor, targets: Tensor, keep: float = 1.0, repaint: float = 1.0
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The three terms and the class logits; the first ``repaint`` of the batch is reconstructed."""
        encoding = self.model.encode(images, keep)
        painted = max(1, round(len(images) * repaint))
        reconstruction = self.model.decoder(encoding.z[:painted], encoding.patches[:painted])
        with torch.autocast(images.device.type, enabled=False):
            z = encoding.z.float()
            logits = self.model.classifier(z)
            terms = {
                "reconstruction": reconstruction_energy(images[:painted], reconstruction.float()).mean(),
                "classification": F.cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing),
                "prototypes": F.cross_entropy(self.model.prototype_logits(z), targets),
            }
        return terms, logits

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Weighted sum of the terms."""
        return torch.stack([getattr(self.recipe.weights, name) * value for name, value in terms.items()]).sum()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss, its terms and the accuracy on the validation images, unaugmented."""
        sums: dict[str, float] = {}
        for images, labels in zip(self.val_images.split(256), self.val_labels.split(256), strict=True):
            with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=has_bf16()):
                terms, logits = self.losses(self.model.normalize(images), labels)
            accuracy = (logits.argmax(-1) == labels).float().mean()
            for name, value in {"loss": self.total(terms), **terms, "accuracy": accuracy}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(labels)
        return {f"val_{name}": value / len(self.val_labels) for name, value in sums.items()}

    def keep(self, name: str, folder: Path) -> None:
        """Write the model as a folder."""
        save_model(self.model, folder / name)
