"""What a results file says was measured."""

from typing import Any


def by_part(result: dict[str, Any]) -> dict[tuple[str, str], dict[str, float]]:
    """The figures by variant and part."""
    return {(run["variant"], run["part"]): run["values"] for run in result["runs"]}
