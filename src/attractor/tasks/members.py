"""Networks that are trained one after another and answer together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from attractor.training.checkpoint import CHECKPOINT
from attractor.training.loop import History, Schedule

Network = TypeVar("Network")


def train_members(
    train_member: Callable[[Schedule, Path | None, bool], tuple[Network, History]],
    schedules: Iterable[Schedule],
    checkpoint: Path | None,
    resume: bool,
) -> tuple[list[Network], History]:
    """A network for every schedule, and a row an epoch and member.

    ``train_member`` gets a schedule, a folder for checkpoints and whether to resume from it: of those after the first
    only the ones that had begun.
    """
    members, history = [], []
    for number, schedule in enumerate(schedules):
        folder = checkpoint and checkpoint / f"member-{number}"
        begun = resume and (number == 0 or bool(folder and (folder / CHECKPOINT).exists()))
        member, rows = train_member(schedule, folder, begun)
        members.append(member)
        history += [{"member": number, **row} for row in rows]
    return members, history
