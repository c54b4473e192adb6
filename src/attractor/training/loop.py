"""The one training loop: epochs and batches, devices and ranks through Accelerate, checkpoints that resume."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from attractor.console import progress, stderr
from attractor.errors import InputError
from attractor.files import discard_unfinished
from attractor.models.device import has_bf16
from attractor.training.checkpoint import CHECKPOINT, load_checkpoint, require_resumable, save_checkpoint
from attractor.training.objective import Objective
from attractor.training.schedule import Schedule, decay_groups, warmup_cosine
from attractor.training.seeding import rng_state, seeded, set_rng_state

log = logging.getLogger(__name__)
History = list[dict[str, float]]


def epoch_batches(examples: int, schedule: Schedule, epoch: int, rank: int, ranks: int) -> list[Tensor]:
    """This rank's index batches of one epoch.

    The permutation is drawn from (seed, epoch) alone, so a resume finds its place.
    """
    generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + epoch)
    order = torch.randperm(examples, generator=generator)
    batches = list(order.split(schedule.batch_size))
    if len(batches) > 1 and len(batches[-1]) < max(2, ranks):
        batches.pop()
    return [batch[rank::ranks] for batch in batches]


class Trainer:
    """State of one run; :func:`train` is what to call."""

    def __init__(self, objective: Objective, schedule: Schedule, folder: Path | None):
        self.accelerator = Accelerator(mixed_precision="no", cpu=not torch.cuda.is_available())
        self.objective, self.schedule, self.folder = objective, schedule, folder
        self.output = folder if self.accelerator.is_main_process else None  # one process writes
        self.bf16 = schedule.precision == "bf16" or (schedule.precision == "auto" and has_bf16())
        steps = len(epoch_batches(objective.examples, schedule, 0, 0, self.accelerator.num_processes))
        optimizer = torch.optim.AdamW(
            decay_groups(objective, schedule.weight_decay), lr=schedule.lr, fused=True, betas=schedule.betas
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
        return self.folder / CHECKPOINT if self.folder else None

    def autocast(self) -> torch.autocast:
        """The schedule's precision; Accelerate's own is fixed for the life of a process, not of a run."""
        return torch.autocast(self.accelerator.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    @property
    def settings(self) -> dict[str, Any]:
        """What a resumed run must share with the interrupted one."""
        return {"examples": self.objective.examples, **self.objective.settings, **asdict(self.schedule)}

    def state(self) -> dict[str, Any]:
        """Everything a resume needs."""
        return {
            "schedule": self.settings,
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
        if self.path and self.output:
            save_checkpoint(self.path, self.state())

    def resume(self) -> None:
        """Continue where the checkpoint stopped."""
        if self.path is None:
            raise InputError("resume needs the folder of the interrupted run")
        state = load_checkpoint(self.path)
        require_resumable(self.path, state, self.settings)
        try:
            self.objective.load_state_dict(state["objective"])
        except RuntimeError:
            raise InputError(f"{self.path} holds another model; resume with the same one") from None
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])
        set_rng_state(state["rng"])
        for name, value in state["progress"].items():
            setattr(self, name, value)
        stderr.print(f"{self.path}: {self.epoch} of {self.schedule.epochs} epochs are done; going on")

    def train_step(self, indices: Tensor) -> None:
        """One optimizer step on the examples ``indices``."""
        with self.autocast():
            loss, terms = self.model(indices.to(self.accelerator.device))
        if not torch.isfinite(loss):
            where = f"epoch {self.epoch + 1}, step {self.step + 1}"
            raise FloatingPointError(f"loss became {loss.item()} at {where}; lower lr or check the data")
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
        for batch in progress(batches[self.step :], label, total=len(batches) - self.step):
            self.train_step(batch)
            self.step += 1
            self.seconds = time.monotonic() - started
            if self.step < len(batches) and time.monotonic() - self.saved > self.schedule.checkpoint_seconds:
                self.save()
        row = {"epoch": self.epoch + 1, "lr": float(self.rate.get_last_lr()[0]), "seconds": self.seconds}
        row |= {f"train_{name}": value / len(batches) for name, value in self.sums.items()}
        self.finish_epoch(row)

    def finish_epoch(self, row: dict[str, float]) -> None:
        """Validate, keep the best, write the checkpoint."""
        self.model.eval()
        due = (self.epoch + 1) % self.schedule.validate_every == 0 or self.epoch + 1 == self.schedule.epochs
        if due:
            with self.autocast():
                row |= self.objective.validate()
        self.history.append(row)
        log.info("  ".join(f"{k} {v:.4g}" for k, v in row.items()))
        if self.objective.score and due:
            improved = row[self.objective.score] > self.best
            self.best, self.stale = (row[self.objective.score], 0) if improved else (self.best, self.stale + 1)
            if improved and self.output:
                self.objective.keep("best", self.output)
        self.epoch, self.step, self.seconds, self.sums = self.epoch + 1, 0, 0.0, {}
        self.save()

    def run(self) -> History:
        """Train to the end of the schedule, or until ``patience`` epochs brought nothing better."""
        if self.output:
            discard_unfinished(self.output)
        patience = self.schedule.patience
        while self.epoch < self.schedule.epochs and (patience is None or self.stale < patience):
            self.train_epoch()
        self.model.eval()
        if self.output:
            self.objective.keep("final", self.output)
        return self.history


def train(
    objective: Objective, schedule: Schedule, folder: str | PathLike[str] | None = None, resume: bool = False
) -> History:
    """Train ``objective`` by ``schedule``; with a ``folder`` it is checkpointed there, and ``resume`` goes on.

    Returns one row an epoch. A run killed at any moment and resumed ends with the same weights as an uninterrupted
    one (bit for bit on a CPU with the same number of threads). Raises :class:`FloatingPointError` on a non-finite
    loss, :class:`InputError` where there is nothing to train on or a checkpoint that does not fit.
    """
    if not objective.examples:
        raise InputError("nothing to train on; give at least one example")
    with seeded(schedule.seed):
        trainer = Trainer(objective, schedule, None if folder is None else Path(folder).expanduser())
        if resume:
            trainer.resume()
        return trainer.run()
