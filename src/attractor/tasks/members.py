"""Networks that are trained one after another and answer together: what may be asked of them, and their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from attractor.models.config import Config
from attractor.models.device import default_device
from attractor.models.store import build, load_weights
from attractor.tasks.saving import WEIGHTS
from attractor.tasks.settings import above_zero, seed, whole_number
from attractor.training.checkpoint import CHECKPOINT
from attractor.training.loop import History
from attractor.training.schedule import Schedule

Network = TypeVar("Network")

LEAST = {"epochs": 1, "batch_size": 1, "members": 1, "walks": 0, "eigenvectors": 0}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse with :class:`InputError` what cannot work before any work is done; sizes are the model's to refuse."""
    for name, least in LEAST.items():
        whole_number(name, settings.get(name, least), least)
    seed(settings["seed"])
    above_zero("lr", settings["lr"])


def member_seeds(first: int, members: int) -> range:
    """The seed of every member; up to 1,000 members of two seeds share none."""
    return range(1000 * int(first), 1000 * int(first) + int(members))


def train_members(
    train_member: Callable[[Schedule, Path | None, bool], tuple[Network, History]],
    schedules: Iterable[Schedule],
    checkpoint: str | PathLike[str] | None,
    resume: bool,
) -> tuple[list[Network], History]:
    """A network for every schedule, and a row an epoch and member.

    ``train_member`` gets a schedule, a folder for checkpoints and whether to resume from it: of those after the first
    only the ones that had begun.
    """
    members, history = [], []
    for number, schedule in enumerate(schedules):
        folder = None if checkpoint is None else Path(checkpoint).expanduser() / f"member-{number}"
        begun = resume and (number == 0 or bool(folder and (folder / CHECKPOINT).exists()))
        member, rows = train_member(schedule, folder, begun)
        members.append(member)
        history += [{"member": number, **row} for row in rows]
    return members, history


def module_tensors(kind: str, modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The weights of modules of one kind, by name."""
    return {f"{kind}.{number}.{name}": t for number, m in enumerate(modules) for name, t in m.state_dict().items()}


def part_of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def load_members(sizes: Config, tensors: dict[str, Tensor], count: int, folder: Path) -> list[Any]:
    """The ``members`` of :func:`module_tensors` where they run, in evaluation mode."""
    weights, members = str(folder / WEIGHTS), []
    for number in range(count):
        prefix = f"members.{number}."
        member = build(sizes, tensors, weights, prefix)
        load_weights(member, part_of(tensors, prefix), weights)
        members.append(member.to(default_device()).eval().requires_grad_(False))
    return members
