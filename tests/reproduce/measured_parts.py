"""What a results file says was measured."""

from hashlib import sha256
from pathlib import Path
from typing import Any


def by_part(result: dict[str, Any]) -> dict[tuple[str, str], dict[str, float]]:
    """The figures by variant and part."""
    return {(run["variant"], run["part"]): run["values"] for run in result["runs"]}


def weights_of(result: dict[str, Any]) -> set[str | None]:
    """The weights its runs are of."""
    return {run["weights"] for run in result["runs"]}


def begins(*files: Path) -> str:
    """What ``sha256sum`` begins with for files one after the other."""
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
