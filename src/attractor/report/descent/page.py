"""The page of a descent: one file with a slider over the steps, in which every patch can be asked what it does."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from attractor import __version__
from attractor.files import json_text
from attractor.report.captions import DESCENT_CAPTIONS
from attractor.report.descent.figures import MEMORIES
from attractor.report.descent.pictures import Descent, enlarged, pixels
from attractor.report.gallery import data_uri
from attractor.report.page import document, facts, figures, flat
from attractor.report.pictures import HEAT_MAP

MOST_ATTENTION = 2**20  # bytes up to which every head is kept, else their mean; beyond it the largest shares alone
FEWEST_SHARES = 16  # of a token's attention, however many tokens there are


def render_descent(
    descent: Descent, images: Mapping[str, Path], title: str, about: Mapping[str, Any] | None = None
) -> str:
    """Return the page; ``images`` maps the name of each figure to its PNG, ``about`` joins the settings."""
    room = files("attractor.report.descent")
    walk = descent.walk
    settings = {**(about or {}), "rule": walk.rule, "step size": _sizes(descent), "model": walk.model.config.to_dict()}
    body = Template(room.joinpath("page.html").read_text("utf-8")).substitute(
        first=_uri(enlarged(descent.frames[0])),
        last=_uri(enlarged(descent.frames[-1])),
        image=_uri(enlarged(descent.image)),
        states=len(descent.frames) - 1,
        figures=figures(images, DESCENT_CAPTIONS),
        settings=facts("Settings", "how this descent was made", flat(settings)),
        data=json_text(_data(descent)),
        script=room.joinpath("script.html").read_text("utf-8"),
        version=__version__,
    )
    return document(title, verdict(descent), _key_numbers(descent), body, room.joinpath("page.css").read_text("utf-8"))


def verdict(descent: Descent) -> str:
    """Return in a sentence what was hidden, what filled it in, and whether the energy ever rose."""
    hidden, blocks = int(descent.hidden.sum()), descent.blocks[-1] + 1
    energies = "one energy" if blocks == 1 else f"{blocks} energies, one after another,"
    rises = int(descent.walk.trace.rises()[descent.sample])
    height, width = descent.image.shape[:2]
    unsettled = bool(descent.walk.unsettled[descent.sample])
    halfway = " No fixed point, which the rule seeks, was reached within these steps." if unsettled else ""
    return (
        f"{hidden} of {len(descent.hidden)} patches were hidden. Nothing but {_steps(descent)} downhill on {energies} "
        f"filled them in; {rises or 'none'} of these went up.{halfway} Shown as the model sees it, {width} x {height} "
        "pixels."
    )


def _steps(descent: Descent) -> str:
    steps = len(descent.frames) - descent.blocks[-1] - 1
    return f"{steps} step{'' if steps == 1 else 's'}"


def _key_numbers(descent: Descent) -> Iterable[tuple[str, str, str]]:
    energies, forces = descent.energies["total"], descent.forces
    paths = descent.moves[:, 1:].sum(axis=0)
    steps = _steps(descent)
    yield f"Energy after {steps}", _digits(energies[-1]), f"{_digits(energies[0])} before the first"
    yield f"Force |dE/dg| after {steps}", _digits(forces[-1]), f"{_digits(forces[0])} before the first"
    for name, group in (("hidden", descent.hidden), ("given", ~descent.hidden)):
        if group.any():
            mean = _digits(paths[group].mean())
            yield f"Path of a {name} token in {steps}", mean, f"mean length, {group.sum()} tokens"


def _digits(value: float) -> str:
    """Return a number with four digits or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _sizes(descent: Descent) -> str:
    sizes = descent.walk.trace.step_sizes[:, descent.sample]
    sizes = sizes[sizes > 0]
    low, high = (float(sizes.min()), float(sizes.max())) if len(sizes) else (0.0, 0.0)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _data(descent: Descent) -> dict[str, Any]:
    """All that the script draws from; arrays as base64, attention as ``255 sqrt(p)`` in bytes."""
    attention, looked_at = _attention(descent)
    colours = (HEAT_MAP(np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    return {
        "grid": descent.grid,
        "size": descent.image.shape[:2],
        "patch": descent.patch,
        "hidden": descent.hidden.astype(int).tolist(),
        "blocks": descent.blocks,
        "energies": descent.energies,
        "falls": descent.falls,
        "moves": _base64(descent.moves.astype(np.float32)),
        "farthest": descent.farthest,
        "heads": attention.shape[1],
        "attention": _base64(attention),
        "kept": attention.shape[-1],
        "looked_at": _base64(looked_at),
        "colours": _base64(colours),
        "frames": _sheet(descent.frames),
        "readings": _sheet(descent.readings),
        **_memories(descent),
    }


def _attention(descent: Descent) -> tuple[np.ndarray, np.ndarray]:
    """Shares in bytes ``(S, H, 1 + N, K)``, and the tokens ``(S, H, 1 + N, K)`` that have them, empty where K is all.

    Of the mean of the heads alone (H = 1) where all would be too much, and of that no more than fits: an image of a
    thousand patches would else make a page that no browser opens.
    """
    config, states, tokens = descent.walk.model.config, len(descent.frames), 1 + len(descent.hidden)
    every = states * config.heads * tokens**2 <= MOST_ATTENTION
    most = min(tokens, max(FEWEST_SHARES, MOST_ATTENTION // (states * tokens)))
    shares, places = [], []
    for state in range(states):
        maps = descent.walk.attention(state, descent.sample)
        maps = maps if every else maps.mean(dim=0, keepdim=True)
        if most < tokens:
            maps, largest = maps.topk(most, dim=-1)
            places.append(largest.cpu().numpy().astype(np.uint32))
        shares.append((255 * np.sqrt(maps.float().cpu().numpy())).round().astype(np.uint8))
    return np.stack(shares), np.stack(places) if places else np.empty(0, np.uint32)


def _memories(descent: Descent) -> dict[str, Any]:
    """The memories that pull each token most at each state, and a sheet of all that occur."""
    walk, found = descent.walk, []
    for state, block in enumerate(descent.blocks):
        indices, strengths = walk.memories(state, descent.sample, MEMORIES)
        found.append((block * walk.model.config.memories + indices.cpu().numpy(), strengths.float().cpu().numpy()))
    everything = np.stack([indices for indices, _ in found])  # (S, 1 + N, K)
    used, places = np.unique(everything, return_inverse=True)
    drawn = np.concatenate([pixels(walk.memory_patches(block)) for block in range(descent.blocks[-1] + 1)])
    return {
        "memories": _sheet(drawn[used]),
        "names": (used % walk.model.config.memories).tolist(),
        "most": everything.shape[-1],
        "nearest": _base64(places.reshape(everything.shape).astype(np.uint32)),
        "pulls": _base64(np.stack([strengths for _, strengths in found])),
    }


def _sheet(pictures: np.ndarray) -> str:
    """Pictures ``(n, H, W, 3)`` on one sheet of about as many rows as columns, for browsers bound an image's sides."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = -(-len(pictures) // columns)
    blank = np.zeros((rows * columns - len(pictures), *pictures.shape[1:]), np.uint8)
    cells = np.concatenate([pictures, blank]).reshape(rows, columns, *pictures.shape[1:])
    return _uri(cells.swapaxes(1, 2).reshape(rows * pictures.shape[1], -1, 3))


def _uri(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "png")


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
