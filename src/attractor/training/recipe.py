"""Recipes: training runs as YAML files hold them, validated whole before anything starts."""

from __future__ import annotations

from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from attractor.errors import InputError
from attractor.models.config import Config, preset
from attractor.models.store import load_tensors, load_weights, model_folder
from attractor.training.loop import Schedule

if TYPE_CHECKING:
    from typing_extensions import Self


class Strict(BaseModel):
    """A section of a recipe in which an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


TRAINING = Path(str(files("attractor"))) / "recipes" / "training"  # those that ship, by name
N = TypeVar("N", bound=nn.Module)
Beta = Annotated[float, Field(ge=0, lt=1)]


class Recipe(Strict):
    """What every run has: a model, its data, and the schedule."""

    name: str
    model: str | dict
    start: str | None = None  # a folder or shipped name, of these sizes, whose weights training starts from
    data: str
    train_split: str = "train"
    val_split: str = "val"
    epochs: int = Field(ge=1)
    batch_size: int = Field(64, ge=1)
    lr: float = Field(5e-4, gt=0)
    final_lr: float = Field(0.0, ge=0)
    weight_decay: float = Field(0.05, ge=0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    warmup_epochs: float = Field(0, ge=0)
    clip: float = Field(5.0, gt=0)
    patience: int | None = Field(None, ge=1)
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    seed: int = 0

    @classmethod
    def parse(cls, values: object, source: str) -> Self:
        """Validate plain values; the first problem is raised as one-line :class:`InputError`."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "recipe"
            raise InputError(f"{source}: {where}: {first['msg']}") from None

    def sizes(self, kind: type[Config]) -> dict:
        """The model's settings, of a preset or as the recipe spells them out; another kind of model is an error."""
        if isinstance(self.model, dict):
            return dict(self.model)
        return preset(self.model, kind).to_dict()

    def started(self, model: N) -> N:
        """The model as training starts from it: with the weights of ``start``, where there is one."""
        if self.start:
            weights = model_folder(self.start) / "model.safetensors"
            load_weights(model, load_tensors(weights), str(weights))
        return model

    def schedule(self) -> Schedule:
        """The loop's part of the recipe."""
        shared = {f.name for f in fields(Schedule)} & set(type(self).model_fields)
        return Schedule(**{name: getattr(self, name) for name in shared})


R = TypeVar("R", bound=Recipe)


def shipped(name: str) -> Path:
    """Where the recipe of that name lies among those that ship."""
    return TRAINING / f"{name}.yaml"


def read_recipe(path: Path, kind: type[R], seed: int | None = None) -> R:
    """A recipe of that kind, a file or the name of one that ships, with another seed where one is given.

    Anything wrong with it raises :class:`InputError`.
    """
    if path.parent == Path() and not path.exists() and shipped(path.name).exists():
        path = shipped(path.name)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}; give a YAML recipe") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that is none, brackets without end
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    recipe = kind.parse(values, str(path))
    return recipe if seed is None else recipe.model_copy(update={"seed": seed})
