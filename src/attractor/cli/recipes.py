"""What every command that trains from a recipe does before and after."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attractor.errors import InputError
from attractor.files import require_writable

if TYPE_CHECKING:
    from attractor.training.recipe import Recipe

R = TypeVar("R", bound="Recipe")


def read_recipe(path: Path, kind: type[R]) -> R:
    """A recipe of that kind, a file or the name of one that ships, validated; anything wrong is one line."""
    import yaml

    from attractor.training.recipe import TRAINING

    shipped = TRAINING / f"{path}.yaml"
    path = shipped if path.parent == Path() and shipped.exists() and not path.exists() else path
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}; give a YAML recipe") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    return kind.parse(values, str(path))


def start_run(output: Path, resume: bool) -> None:
    """Log a line an epoch, since runs take hours, and see that the run can be written and spoils no other."""
    logging.getLogger("attractor.training").setLevel(logging.INFO)
    if (output / "checkpoint.pt").exists() and not resume:
        raise InputError(f"{output} holds a run already; add --resume to go on with it, or choose another folder")
    if (output / "config.json").exists():
        raise InputError(f"{output} holds a finished model; choose another folder")
    require_writable(output)


def run_result(
    settings: Recipe, history: list[dict[str, float]], images: dict[str, int], figures: dict[str, float]
) -> dict[str, Any]:
    """``result.json``: the figures of a run, with what it took to get them."""
    from attractor.provenance import provenance

    return {
        "name": settings.name,
        **figures,
        **images,
        "seed": settings.seed,
        "hours": sum(row["seconds"] for row in history) / 3600,
        "recipe": settings.model_dump(),
        "history": history,
        **provenance(),
    }
