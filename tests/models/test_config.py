"""Names of choices in every configuration."""

from __future__ import annotations

from typing import Any

import pytest

from attractor.errors import InputError
from attractor.models import GraphETConfig, ImageETConfig, SelyneConfig
from attractor.models.config import Config

GRAPH = {"features": 0, "positions": 1, "links": 1, "classes": 2}
MEMORIES = "'relu', 'gelu', 'power' or 'softmax'"


@pytest.mark.parametrize(
    ("kind", "others", "name", "choices"),
    [
        (SelyneConfig, {}, "attention", "'gloeba' or 'standard'"),
        (ImageETConfig, {}, "activation", MEMORIES),
        (ImageETConfig, {}, "readout", "'norm', 'norm-twice' or 'layer'"),
        (GraphETConfig, GRAPH, "activation", MEMORIES),
    ],
)
@pytest.mark.parametrize("value", ["x", ["relu"], None])
def test_a_choice_that_there_is_not_is_refused_when_the_config_is_made(
    kind: type[Config], others: dict[str, int], name: str, choices: str, value: Any
) -> None:
    with pytest.raises(InputError) as caught:
        kind.from_dict({**others, name: value})
    assert str(caught.value) == f"{name} must be {choices}, not {value!r}"
