"""Keys that stand twice, and those that only seem to."""

import pytest
import yaml

from attractor.training.yaml_text import parse_yaml


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 1", "{a: 1, a: 2}", "b: [{c: {a: 1, a: 2}}]", "'a': 1\na: 2"])
def test_a_key_given_twice_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a is given twice, in lines 1 and [1-3]; leave one out$"):
        parse_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: {b: 1}\nc: {b: 1}",
        "1: a\n'1': b",
        "- &a {x: 1, y: 2}\n- &b {<<: *a, x: 3}\n- {<<: *b, y: 4}\n- *b",
        "a: 2026-11-26\nb: 1e-3\nc: ~",
    ],
)
def test_all_else_is_what_the_safe_loader_makes_of_it(text: str) -> None:
    assert parse_yaml(text) == yaml.safe_load(text)


def test_nothing_but_plain_values() -> None:
    with pytest.raises(yaml.YAMLError, match="could not determine a constructor"):
        parse_yaml("!!python/object/apply:os.getcwd []")
