"""The one training loop: an objective, a schedule, devices and ranks through Accelerate, checkpoints that resume."""

from __future__ import annotations

import logging
import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from attractor.console import progress
from attractor.errors import InputError
from attractor.training.checkpoint import load_checkpoint, rng_state, save_checkpoint, set_rng_state
from attractor.training.schedule import decay_groups, warmup_cosine

log = logging.getLogger(__name__)
History = list[dict[str, float]]


class Objective(nn.Module):
    """What is trained and on what: holds the model and the resident training set, and gives the loss of a batch.

    ``examples`` is the number of training examples. Augmentation and dropout draw from the global generators, which
    the loop seeds and checkpoints.
    """

    examples: int
    score: str | None = None  # the validation figure whose maximum is "best"; None: the last weights are the result

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of the training examples ``indices (B,)`` and the terms worth logging."""
        raise NotImplementedError

    def after_step(self) -> None:
        """Called after every optimizer step."""

    def validate(self) -> dict[str, float]:
        """Validation figures, named ``val_...``."""
        return {}

    def keep(self, name: str, folder: Path) -> None:
        """Write the model as ``folder/name``; called with ``"best"`` and ``"final"``."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: AdamW, linear warm-up, cosine to ``final_lr``, gradient clipping, patience in epochs.

    ``precision`` is ``"bf16"`` (autocast), ``"fp32"``, or ``"auto"``: bf16 where the machine computes in it.
    """

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    warmup_epochs: float = 0.0
    final_lr: float = 0.0
    clip: float = 5.0
    patience: int | None = None
    precision: str = "auto"
    seed: int = 0
    checkpoint_seconds: float = 60.0


def has_bf16() -> bool:
    """Whether this machine multiplies bf16 matrices in hardware."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)


def epoch_batches(examples: int, schedule: Schedule, epoch: int, rank: int, ranks: int) -> list[Tensor]:
    """This rank's index batches of one epoch: a permutation drawn from (seed, epoch) alone, so a resume finds its place."""
    generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + epoch)
    order = torch.randperm(examples, generator=generator)
    batches = list(order.split(schedule.batch_size))
    if len(batches) > 1 and len(batches[-1]) < max(2, ranks):
        batches.pop()
    return [batch[rank::ranks] for batch in batches]


class Trainer:
    """State of one run; :func:`train` is what to call."""

    def __init__(self, objective: Objective, schedule: Schedule, folder: Path | None):
        precision = schedule.precision
        if precision == "auto":
            precision = "bf16" if has_bf16() else "fp32"
        self.accelerator = Accelerator(
            mixed_precision="bf16" if precision == "bf16" else "no", cpu=not torch.cuda.is_available()
        )
        self.objective, self.schedule, self.folder = objective, schedule, folder
        steps = len(epoch_batches(objective.examples, schedule, 0, 0, 1))
        optimizer = torch.optim.AdamW(
            decay_groups(objective, schedule.weight_decay), lr=schedule.lr, fused=True, betas=(0.9, 0.999)
        )
        self.rate = warmup_cosine(
            optimizer,
            round(schedule.warmup_epochs * steps),
            schedule.epochs * steps,
            schedule.final_lr / schedule.lr,
        )
        self.model, self.optimizer = self.accelerator.prepare(objective, optimizer)
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self.sums: dict[str, float] = {}
        self.history: History = []
        self.best, self.stale = -math.inf, 0
        self.saved = time.monotonic()

    @property
    def path(self) -> Path | None:
        """Where the checkpoint of this run lives."""
        return self.folder / "checkpoint.pt" if self.folder else None

    def state(self) -> dict[str, Any]:
        """Everything a resume needs."""
        return {
            "schedule": asdict(self.schedule),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state_dict(),
            "rng": rng_state(),
            "progress": {
                "epoch": self.epoch,
                "step": self.step,
                "seconds": self.seconds,
                "sums": self.sums,
                "history": self.history,
                "best": self.best,
                "stale": self.stale,
            },
        }

    def save(self) -> None:
        """Write the checkpoint, on the main process."""
        self.saved = time.monotonic()
        if self.path and self.accelerator.is_main_process:
            save_checkpoint(self.path, self.state())

    def resume(self) -> None:
        """Continue where the checkpoint stopped."""
        if self.path is None:
            raise InputError("resume needs the folder of the interrupted run")
        state = load_checkpoint(self.path)
        mine, theirs = asdict(self.schedule), state["schedule"]
        changed = [k for k in mine if mine[k] != theirs.get(k) and k != "checkpoint_seconds"]
        if changed:
            raise InputError(f"{self.path} was written with other settings ({', '.join(changed)}); resume with the same recipe")
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])
        set_rng_state(state["rng"])
        for name, value in state["progress"].items():
            setattr(self, name, value)

    def train_step(self, indices: Tensor) -> None:
        """One optimizer step on the examples ``indices``."""
        loss, terms = self.model(indices.to(self.accelerator.device))
        if not torch.isfinite(loss):
            raise InputError(f"loss became {loss.item()} at epoch {self.epoch}, step {self.step}; lower lr or check the data")
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.rate.step()
        self.objective.after_step()
        for name, value in {"loss": loss, **terms}.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())

    def train_epoch(self) -> None:
        """The rest of the current epoch, from ``self.step`` on."""
        self.model.train()
        ranks = self.accelerator.num_processes
        batches = epoch_batches(
            self.objective.examples, self.schedule, self.epoch, self.accelerator.process_index, ranks
        )
        started = time.monotonic() - self.seconds
        label = f"epoch {self.epoch + 1}/{self.schedule.epochs}"
        for batch in progress(batches[self.step :], label):
            self.train_step(batch)
            self.step += 1
            self.seconds = time.monotonic() - started
            if self.step < len(batches) and time.monotonic() - self.saved > self.schedule.checkpoint_seconds:
                self.save()
        row = {"epoch": self.epoch + 1, "lr": self.rate.get_last_lr()[0], "seconds": self.seconds}
        row |= {f"train_{name}": value / len(batches) for name, value in self.sums.items()}
        self.finish_epoch(row)

    def finish_epoch(self, row: dict[str, float]) -> None:
        """Validate, keep the best, write the checkpoint."""
        self.model.eval()
        row |= self.objective.validate()
        self.history.append(row)
        log.info("  ".join(f"{k} {v:.4g}" for k, v in row.items()))
        if self.objective.score:
            improved = row[self.objective.score] > self.best
            self.best, self.stale = (row[self.objective.score], 0) if improved else (self.best, self.stale + 1)
            if improved and self.folder and self.accelerator.is_main_process:
                self.objective.keep("best", self.folder)
        self.epoch, self.step, self.seconds, self.sums = self.epoch + 1, 0, 0.0, {}
        self.save()

    def run(self) -> History:
        """Train to the end of the schedule, or until ``patience`` epochs brought nothing better."""
        patience = self.schedule.patience
        while self.epoch < self.schedule.epochs and (patience is None or self.stale < patience):
            self.train_epoch()
        self.model.eval()
        if self.folder and self.accelerator.is_main_process:
            self.objective.keep("final", self.folder)
        return self.history


def train(objective: Objective, schedule: Schedule, folder: Path | None = None, resume: bool = False) -> History:
    """Train ``objective`` by ``schedule``; with a ``folder`` it is checkpointed there and ``resume`` goes on from it.

    Returns one row an epoch. A run killed at any moment and resumed ends with the same weights as an uninterrupted
    one (bit for bit on a CPU with the same number of threads). Raises :class:`InputError` on a non-finite loss.
    """
    seed_everything(schedule.seed)
    trainer = Trainer(objective, schedule, folder)
    if resume:
        trainer.resume()
    return trainer.run()
