"""What a row of the results is: its data, its protocol in several variants, its seeds, and what was published."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from attractor.errors import InputError, one_line
from attractor.training.strict import Strict
from attractor.training.yaml_text import parse_yaml

ROWS = Path(str(files("attractor"))) / "recipes" / "rows"


class Figure(Strict):
    """A published figure: its mean, and its spread as a standard deviation or in percent of the mean."""

    mean: float
    std: float | None = None
    cv_percent: float | None = None


class Row(Strict):
    """One row, as the YAML files beside the package's code hold it.

    ``kind`` says how it is measured (see :data:`attractor.reproduce.run.KINDS`), ``data`` on which set. Every one of
    ``variants`` is run with every one of ``seeds``; its settings go over the common ``settings``. ``published`` holds
    figures by variant and measure, from ``source``; ``main`` names the measure that counts.
    """

    name: str
    title: str
    kind: Literal["detection", "graphs", "inpainting", "nodes", "pretraining"]
    data: str
    main: str
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0, 1, 2], min_length=1)
    settings: dict[str, Any] = Field({})
    variants: dict[str, dict[str, Any]] = Field(min_length=1)
    published: dict[str, dict[str, Figure]] = Field({})
    source: str | None = None
    caution: str | None = None

    def of(self, variant: str) -> dict[str, Any]:
        """All settings of a variant; another raises :class:`InputError`."""
        if variant not in self.variants:
            raise InputError(f"{self.name} has no variant {variant!r}; choose one of {', '.join(self.variants)}")
        return {**self.settings, **self.variants[variant]}


def names() -> list[str]:
    """Every row there is."""
    return sorted(path.stem for path in ROWS.glob("*.yaml"))


def find_row(name: str) -> Row:
    """The row of that name, in any case, a set of graphs also without ``et-``.

    Another, and one whose file is broken, raise :class:`InputError`.
    """
    known = next((known for known in (name.lower(), f"et-{name.lower()}") if known in names()), None)
    if known is None:
        raise InputError(f"no row named {name!r}; choose one of {', '.join(names())}")
    path = ROWS / f"{known}.yaml"
    try:
        return Row.model_validate(parse_yaml(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:  # pydantic's own is a ValueError
        raise InputError(f"{path} is no row ({one_line(error)}); install attractor again") from None
