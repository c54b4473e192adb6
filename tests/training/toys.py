"""Runs of a fraction of a second, for the tests of this room: a tiny model, a few images, every augmentation on."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from attractor.data.labelled import LabelledImages
from attractor.models import Selyne, SelyneConfig
from attractor.training.loop import History, train
from attractor.training.objective import Objective
from attractor.training.oneclass import OneClass
from attractor.training.pretrain import Pretraining, PretrainRecipe
from attractor.training.schedule import Schedule

SIZES = {"image_size": [16, 16], "patch_sizes": [8, 4], "dim": 12, "latent": 6, "heads": 3, "depth": 1, "prototypes": 2}


def pictures(count: int, channels: int = 3) -> torch.Tensor:
    """The same uint8 pictures each time, ``(N, C, 16, 16)``: noise around a colour."""
    generator = torch.Generator().manual_seed(7)
    colours = torch.randint(0, 200, (count, channels, 1, 1), generator=generator)
    return (colours + torch.randint(0, 56, (count, channels, 16, 16), generator=generator)).to(torch.uint8)


def labelled(count: int, channels: int = 3) -> LabelledImages:
    """Pictures in three classes."""
    return LabelledImages(pictures(count, channels), torch.arange(count) % 3, ["a", "b", "c"], [])


def recipe(**changes: object) -> PretrainRecipe:
    """A recipe with the published augmentation (padding apart), dropout and dropped patches."""
    values = {
        **{"name": "toy", "data": "toy", "model": SIZES | {"dropout": 0.1}, "augmentation": {"padding": 4}},
        **{"epochs": 3, "batch_size": 8, "lr": 1e-2, "warmup_epochs": 1, "precision": "fp32"},
        **{"keep_patches": 0.7, "repaint": 0.6},
    }
    return PretrainRecipe.model_validate({**values, **changes})


def pretraining(recipe: PretrainRecipe) -> Pretraining:
    """Pretraining on 28 pictures, the model drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    channels = recipe.config(3).channels
    return Pretraining(recipe, labelled(28, channels), labelled(9, channels))


def one_class(count: int = 20) -> OneClass:
    """One-class training of a model drawn from seed 0."""
    torch.manual_seed(0)
    return OneClass(Selyne(SelyneConfig(**SIZES, classes=3)), pictures(count))


class Line(Objective):
    """Fit one number to 1; ``scores`` are handed out as validation figures, one an epoch."""

    def __init__(self, scores: list[float] | None = None, loss: float = 1.0, examples: int = 4):
        super().__init__()
        self.weight, self.factor, self.examples = nn.Parameter(torch.zeros(())), loss, examples
        self.scores, self.kept = list(scores or []), []
        self.score = "val_score" if scores else None

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.factor * (self.weight - 1).square()
        return loss, {"count": torch.tensor(float(len(indices)))}

    def validate(self) -> dict[str, float]:
        return {"val_score": self.scores.pop(0)} if self.score else {}

    def keep(self, name: str, folder: Path) -> None:
        self.kept.append((name, self.weight.item()))


def line_schedule(**changes: object) -> Schedule:
    """Three epochs of few steps."""
    values = {"epochs": 3, "batch_size": 2, "lr": 0.1, "weight_decay": 0.0, "precision": "fp32"}
    return Schedule(**{**values, **changes})


def make(kind: str) -> tuple[Objective, Schedule]:
    """A fresh objective of either kind, with a schedule that checkpoints after every step."""
    if kind == "pretraining":
        values = recipe().schedule().__dict__
        return pretraining(recipe()), Schedule(**{**values, "checkpoint_seconds": 0})
    return one_class(), Schedule(3, 6, lr=1e-2, weight_decay=1e-4, precision="fp32", checkpoint_seconds=0)


def run(kind: str, folder: Path, resume: bool, threads: int = 1) -> tuple[Objective, History]:
    """Train, or go on training, in ``folder``; the objective and its history, without the seconds."""
    torch.set_num_threads(threads)
    objective, schedule = make(kind)
    history = train(objective, schedule, folder, resume)
    return objective, [{k: v for k, v in row.items() if k != "seconds"} for row in history]
