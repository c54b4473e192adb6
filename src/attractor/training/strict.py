"""Sections of files that people write, and what is wrong with one in a line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """A section of a file in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def problem(error: ValidationError, kind: type[BaseModel]) -> str:
    """What is wrong with a file that should be a ``kind``: the first problem, and where it is.

    Unknown keys come before all others, since a key that is misspelled is also one that is missing.
    """
    problems = error.errors()
    first: Any = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), _said(first, kind)]))


def _said(first: Any, kind: type[BaseModel]) -> str:
    if first["type"] == "extra_forbidden":
        return _no_such_key(first["loc"], kind)
    if first["type"] in ("model_type", "dict_type"):
        return "must be keys with their values"
    if first["type"] == "value_error":  # our own words
        return str(first["ctx"]["error"])
    return first["msg"].replace("Input should be", "must be").replace("Field required", "is missing")


def _no_such_key(where: tuple[Any, ...], kind: Any) -> str:
    """The key most alike, else all that the section has."""
    for name in where[:-1]:
        kind = kind.model_fields[name].annotation if hasattr(kind, "model_fields") else get_args(kind)[-1]
    known = list(kind.model_fields)
    alike = get_close_matches(str(where[-1]), known, 1)
    return f"no such key; did you mean {alike[0]}?" if alike else f"no such key; choose among {', '.join(known)}"
