"""Recipes: training runs as YAML files hold them, validated whole before anything starts."""

from __future__ import annotations

from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from attractor.errors import InputError
from attractor.models.config import Config, preset
from attractor.training.schedule import Schedule
from attractor.training.start import require_same_sizes, starting_model
from attractor.training.strict import Strict, problem
from attractor.training.yaml_text import parse_yaml

if TYPE_CHECKING:
    from typing_extensions import Self


TRAINING = Path(str(files("attractor"))) / "recipes" / "training"  # those that ship, by name
Beta = Annotated[float, Field(ge=0, lt=1)]


def _named_or_sized(model: object) -> object:
    if isinstance(model, str) or (isinstance(model, dict) and all(isinstance(name, str) for name in model)):
        return model
    raise InputError(f"must be a model's name or its settings, not {model!r}")


Model = Annotated[str | dict, BeforeValidator(_named_or_sized)]


class Recipe(Strict):
    """What every run has: a model, its data, and the schedule."""

    command: ClassVar[str]  # that trains by it
    kind: ClassVar[type[Config]]  # of its model

    name: str
    model: Model
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
    seed: int = Field(0, ge=0, lt=2**32)  # as NumPy takes it

    @classmethod
    def parse(cls, values: object, source: str) -> Self:
        """Validate plain values; the first problem is raised as one-line :class:`InputError`."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            for other in Recipe.__subclasses__():
                if other.describes(values) and not cls.describes(values):
                    raise InputError(f"{source} is a recipe of `{other.command}`, not of `{cls.command}`") from None
            raise InputError(f"{source}: {problem(error, cls)}") from None

    @classmethod
    def describes(cls, values: object) -> bool:
        """Whether keys and model are those of this kind of recipe, whatever the values."""
        if not isinstance(values, dict) or not set(values) <= set(cls.model_fields):
            return False
        try:
            sizes = cls.model_construct(**values).sizes()
        except InputError:
            return False
        return set(sizes) <= {field.name for field in fields(cls.kind)}  # type: ignore[arg-type]

    @model_validator(mode="after")
    def _warms_up(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            own = "" if "warmup_epochs" in self.model_fields_set else ", the default"
            raise InputError(f"warmup_epochs: must be less than epochs, {self.epochs}, not {self.warmup_epochs:g}{own}")
        return self

    def sizes(self) -> dict:
        """The model's settings, of a preset or as the recipe spells them out; another kind of model is an error."""
        return dict(self.model) if isinstance(self.model, dict) else preset(self.model, self.kind).to_dict()

    def untrained(self, classes: int) -> Any:
        """The model with random weights, of as many classes where it has any."""
        raise NotImplementedError

    def network(self, classes: int = 1) -> Any:
        """The model as training starts from it: with the weights of ``start``, where there is one."""
        model = self.untrained(classes)
        if self.start:
            first = starting_model(self.start)
            require_same_sizes(first, self.start, model, self._model_name())
            model.load_state_dict(first.state_dict())
        return model

    def require_start(self) -> None:
        """See that ``start`` is there and fits, before images are read; how many classes these have shows later."""
        if self.start:
            first = starting_model(self.start)
            same = self.untrained(getattr(first.config, "classes", 1))
            require_same_sizes(first, self.start, same, self._model_name())

    def _model_name(self) -> str:
        return self.model if isinstance(self.model, str) else "the recipe's model"

    def schedule(self) -> Schedule:
        """The loop's part of the recipe."""
        shared = {f.name for f in fields(Schedule)} & set(type(self).model_fields)
        return Schedule(**{name: getattr(self, name) for name in shared})


R = TypeVar("R", bound=Recipe)


def require_reflected(name: str, pixels: int, size: tuple[int, int]) -> None:
    """Raise :class:`InputError` where a border of so many pixels cannot be reflected: the image must be larger."""
    if pixels >= min(size):
        raise InputError(f"{name}: must be smaller than the images, {size[0]} x {size[1]}, not {pixels}")


def shipped(name: str) -> Path:
    """Where the recipe of that name lies among those that ship."""
    return TRAINING / f"{name}.yaml"


def read_recipe(path: Path, kind: type[R], seed: int | None = None) -> R:
    """A recipe of that kind, a file or the name of one that ships, with another seed where one is given.

    Anything wrong with it raises :class:`InputError`.
    """
    if path.parent == Path() and not path.is_file() and shipped(path.name).is_file():
        path = shipped(path.name)
    if path.parent == Path() and not path.exists():
        names = ", ".join(_names(kind))
        raise InputError(f"no recipe {str(path)!r}: neither a file here nor one of those that ship, {names}")
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}; give a YAML recipe") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that is none, brackets without end
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    recipe = kind.parse(values, str(path))
    return recipe if seed is None else recipe.model_copy(update={"seed": seed})


def _names(kind: type[Recipe]) -> list[str]:
    """The recipes of that kind that ship."""
    values = {path.stem: parse_yaml(path.read_text(encoding="utf-8")) for path in TRAINING.glob("*.yaml")}
    return sorted(name for name in values if kind.describes(values[name]))
