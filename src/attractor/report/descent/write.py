"""One folder that holds a descent: every step as a picture, figures, an animation, numbers, and a page to walk it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from attractor.console import progress
from attractor.errors import InputError
from attractor.files import replacing, write_json, write_text
from attractor.report.descent.animation import write_animation
from attractor.report.descent.figures import attention, energy, memories, norms
from attractor.report.descent.page import render_descent
from attractor.report.descent.pictures import Descent, enlarged
from attractor.report.style import save_figure
from attractor.tasks.inpainting.walk import Walk

FIGURES = {"energy": energy, "norms": norms, "attention": attention, "memories": memories}


def write_descent(
    walk: Walk,
    folder: str | Path,
    sample: int = 0,
    title: str = "Watching a descent",
    about: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write what one image's descent looked like, and return the paths, the page first.

    ``index.html`` holds all it needs itself; beside it ``descent.gif``, ``trace.json``, the figures as PNG and PDF, and
    ``steps/step-NN.png``, small pictures enlarged by repeating pixels (64 become 384). An earlier walk's steps there
    are replaced. ``about`` says in page and JSON how to have this descent again. Raises :class:`InputError` where the
    walk went beyond all numbers, as too large a step makes it.
    """
    folder, descent = Path(folder), Descent(walk, sample)
    _check_finite(descent)
    figures = progress(FIGURES.items(), "drawing", total=len(FIGURES))
    images = {name: save_figure(draw(descent), folder, name) for name, draw in figures}
    steps = _write_steps(descent, folder / "steps")
    animation = write_animation(descent, folder / "descent.gif")
    numbers = write_json(folder / "trace.json", {**(about or {}), **summary(descent)})
    page = write_text(folder / "index.html", render_descent(descent, images, title, about))
    return [page, animation, numbers, *images.values(), *steps]


def _check_finite(descent: Descent) -> None:
    lost = ~np.isfinite(descent.norms.sum(axis=1) + sum(descent.energies.values()) + descent.forces)
    if lost.any():
        raise InputError(
            f"the descent went beyond all numbers at step {int(lost.argmax())}; take a smaller step size, or the "
            "guaranteed rule"
        )


def summary(descent: Descent) -> dict[str, Any]:
    """Settings and numbers of a descent as plain values: one per state, or per step where it says so."""
    walk, sample = descent.walk, descent.sample
    trace = walk.trace
    return {
        "model": walk.model.config.to_dict(),
        "rule": walk.rule if isinstance(walk.rule, str) else repr(walk.rule),
        "hidden": np.flatnonzero(descent.hidden),
        "blocks": descent.blocks,
        "energies": descent.energies,
        "force_norms": descent.forces,
        "step_sizes_per_step": trace.step_sizes[:, sample].tolist(),
        "update_norms_per_step": trace.updates[:, sample].tolist(),
        "rises": int(trace.rises()[sample]),
        "converged": bool(trace.converged[sample]),
        "mean_token_norms": _means(descent, descent.norms),
        "mean_token_moves": _means(descent, descent.moves),
    }


def _means(descent: Descent, values: np.ndarray) -> dict[str, np.ndarray]:
    """Means of ``(S, 1 + N)`` over hidden and over given patches, where there are any."""
    groups = {"hidden": descent.hidden, "given": ~descent.hidden}
    return {name: values[:, 1:][:, group].mean(axis=1) for name, group in groups.items() if group.any()}


def _write_steps(descent: Descent, folder: Path) -> list[Path]:
    digits = max(2, len(str(len(descent.frames) - 1)))
    written = [folder / f"step-{state:0{digits}d}.png" for state in range(len(descent.frames))]
    for path, frame in zip(written, descent.frames, strict=True):
        with replacing(path) as temporary:
            Image.fromarray(enlarged(frame)).save(temporary)
    for earlier in set(folder.glob("step-*.png")) - set(written):
        earlier.unlink()
    return written
