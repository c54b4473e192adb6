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
