"""YAML as people write it, in which no key may stand twice: the last would win without a word."""

from __future__ import annotations

from typing import Any

import yaml


def parse_yaml(text: str) -> Any:
    """The plain values in ``text``; whatever is wrong with it raises ``ValueError`` or ``yaml.YAMLError``."""
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Before ``<<`` puts in what keys that stand here go over."""
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):  # of which safe values have none
                continue
            line, name = key.start_mark.line + 1, (key.tag, key.value)
            if name in lines:
                raise ValueError(f"{key.value} is given twice, in lines {lines[name]} and {line}; leave one out")
            lines[name] = line
        return node
