"""Checkpoints that survive a kill at any moment and resume to the same weights, bit for bit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from attractor.errors import InputError
from attractor.files import replacing

CHECKPOINT = "checkpoint.pt"  # in the folder of its run
VERSION = 1
PARTS = {"schedule", "objective", "optimizer", "rate", "rng", "progress"}  # of a run


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` to a temporary name, sync it, and rename it over ``path``."""
    with replacing(path) as temporary:
        torch.save({"version": VERSION, **state}, temporary)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint with ``weights_only``; anything unreadable raises :class:`InputError` naming the file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; nothing to resume from, start without --resume") from None
    except Exception as error:  # torch raises half a dozen types for truncated, foreign and hostile files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, pickle.UnpicklingError):  # torch's own words advise to run the code in it
            reason = "damaged, or more than numbers in it"
        raise InputError(f"{path} is not a readable checkpoint ({reason}); remove it and start again") from None
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise InputError(f"{path} is not a checkpoint of version {VERSION}; remove it and start again")
    return state


def require_resumable(path: Path, state: dict[str, Any], settings: dict[str, Any]) -> None:
    """Raise :class:`InputError` where ``state`` of ``path`` lacks a part, or is of a run with other ``settings``.

    A setting that it does not name counts as the same, and how often to checkpoint may change.
    """
    if missing := PARTS - set(state):
        raise InputError(f"{path} lacks {', '.join(sorted(missing))}; remove it and start again")
    before = state["schedule"]
    changed = [k for k in settings if settings[k] != before.get(k, settings[k]) and k != "checkpoint_seconds"]
    if changed:
        raise InputError(f"{path} was written with other settings ({', '.join(changed)}); resume with the same recipe")
