"""A model card: Markdown that says what a folder holds, every figure of it read from files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from attractor.models.store import load_tensors
from attractor.tasks.inspection import describe
from attractor.tasks.pretrained import kind_of
from attractor.tasks.publishing.about import ABOUT, About
from attractor.tasks.saving import WEIGHTS

TITLES = {"detector": "Settings", "classifier": "Settings", "inpainter": "Settings", "model": "Sizes"}
UNSAID = ("heads", "norms", "memories")  # of what inspect tells: tables too long for a card


def model_card(folder: Path, name: str, about: About | None = None, more: Sequence[str] = ()) -> str:
    """The card of a saved model or detector, to be loaded by ``name``; raises :class:`InputError` where it is broken.

    ``about``: its texts, by default those of its kind; ``more``: sections between what it holds and its limits.
    """
    known = describe(folder)
    about = about or ABOUT[kind_of(folder)]
    parts = [front_matter(about), f"# {name}", about.summary]
    parts += ["## Use", f"```python\n{about.code.format(name=name)}\n```", about.intended]
    parts += [section(title, values) for title, values in _grouped(known).items()]
    parts += ["## File", file_facts(folder / WEIGHTS), *more, "## Limits", about.limits, "## Licence", about.terms]
    return "\n\n".join(part for part in parts if part) + "\n"


def front_matter(about: About) -> str:
    """The lines of YAML by which the Hub files a model."""
    license, pipeline = about.license, about.pipeline
    values = {"license": license, "library_name": "attractor", "pipeline_tag": pipeline, "tags": list(about.tags)}
    values = {name: value for name, value in values.items() if value is not None}
    return f"---\n{yaml.safe_dump(values, sort_keys=False)}---"


def section(title: str, values: Mapping[str, Any]) -> str:
    """A heading over a table of names and values; nested names are joined by dots."""
    return f"## {title}\n\n" + table(["", ""], _rows(values))


def file_facts(weights: Path) -> str:
    """What the file of weights holds, with the digest by which anybody can tell that they have the same."""
    tensors = load_tensors(weights)
    kinds = " and ".join(sorted({str(t.dtype).removeprefix("torch.") for t in tensors.values()}))
    numbers = sum(t.numel() for t in tensors.values())
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    size = weights.stat().st_size
    return (
        f"`{weights.name}`: {len(tensors)} tensors, {numbers:,} numbers as {kinds}, {size:,} bytes, SHA-256 `{digest}`."
    )


def training(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of training runs, one a column: ``runs`` are ``result.json`` of runs, by the name of their recipe."""
    columns = [_run(result) for result in runs.values()]
    return table(["", *(f"`{name}`" for name in runs)], [[row, *(c[row] for c in columns)] for row in columns[0]])


def _run(result: Mapping[str, Any]) -> dict[str, str]:
    """What was seen, how often, for how long, how well it went, and with which code."""
    recipe, machine = result["recipe"], result["hardware"]
    figures = {key: value for key, value in result.items() if key.startswith("val_") and key != "val_images"}
    threads = f"{machine['cpu']}, {machine['threads']} thread{'s' * (machine['threads'] > 1)}"
    return {
        "data": Path(recipe["data"]).name,
        "images": f"{result['train_images']:,} to train on, {result['val_images']:,} to validate on",
        "epochs": f"{len(result['history'])}, in batches of {recipe['batch_size']}",
        "learning rate": f"{recipe['lr']:g} at its peak",
        "seed": str(result["seed"]),
        "time": f"{result['hours']:.2f} hours on {machine['gpu'] or threads}",
        "validation": ", ".join(f"{key[4:].replace('_', ' ')} {value:#.4g}" for key, value in figures.items()),
        "code": f"git revision `{result['git_revision']}`, torch {result['versions']['torch']}",
        "date": result["date"][:10],
    }


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, whatever the cells hold."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(" ".join(c.replace("|", "\\|").split()) for c in line) + " |" for line in lines)


def _grouped(known: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What inspect tells, by the section it goes into; figures that belong to none go together."""
    groups: dict[str, dict[str, Any]] = {}
    for key, value in known.items():
        if key not in UNSAID:
            nested = isinstance(value, dict)
            groups.setdefault(TITLES.get(key, key.capitalize()) if nested else "Fitted", {}).update(
                value if nested else {key: value}
            )
    return groups


def _rows(values: Mapping[str, Any], prefix: str = "") -> list[list[str]]:
    rows = []
    for key, value in values.items():
        rows += _rows(value, f"{prefix}{key}.") if isinstance(value, dict) else [[prefix + str(key), _say(value)]]
    return rows


def _say(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "default", True: "yes", False: "no"}[value]
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_say, value))
    if isinstance(value, (int, float)):
        return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    return str(value)
