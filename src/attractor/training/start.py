"""Weights that training starts from: those of an earlier run, of a model of the same sizes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from attractor.errors import InputError
from attractor.models.store import load_model, model_folder


def starting_model(name: str) -> Any:
    """The model of that name, or in that folder; anything wrong with it is an :class:`InputError`."""
    try:
        return load_model(model_folder(name))
    except InputError as error:
        raise InputError(f"start: {error}") from None


def require_same_sizes(first: Any, start: str, model: Any, name: str) -> None:
    """Raise :class:`InputError` naming both models where the weights of ``first`` do not fit in ``model``."""
    theirs, ours = ({name: t.shape for name, t in m.state_dict().items()} for m in (first, model))
    if theirs != ours:
        raise InputError(f"start: {start} ({_apart(first, model)}) does not fit {name} ({_apart(model, first)})")


def _apart(one: Any, other: Any) -> str:
    """The kind of a model, and the first settings that set it apart from another of its kind."""
    mine, theirs = asdict(one.config), asdict(other.config)
    settings = [f"{name} {value}" for name, value in mine.items() if theirs.get(name) != value]
    return ", ".join([type(one).__name__, *(settings[:3] if type(one) is type(other) else [])])
