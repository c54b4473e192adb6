"""The command as a user runs it, and pictures and a model small enough to run it on in seconds."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from PIL import Image

from attractor.cli import main
from attractor.models import SelyneConfig

TINY = SelyneConfig(dim=32, latent=16, heads=2, depth=3, decoder_depth=1, prototypes=2, dropout=0.0, classes=4)


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments) -> Done:
    """The command, in this process: loading torch anew for each call would take most of the suite's time."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["attractor", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return Done(code, out.getvalue(), err.getvalue())


def one_line(done: Done, *words: str) -> str:
    """Exit code 2 and one clear line on stderr that holds every word."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("attractor: ")
    for word in words:
        assert word in last, last
    return last


def write_images(folder: Path, count: int, seed: int, spot: bool = False) -> Path:
    """Noisy grey gradients; ``spot`` puts a white square on each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        pixels = np.linspace(40, 160, 72)[:, None, None] + rng.normal(0, 8, (72, 80, 3))
        if spot:
            pixels[20:50, 20:50] = 255
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i:02d}.png")
    return folder
