"""The command as a user runs it, and pictures and a model small enough to run it on in seconds."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from attractor.models import SelyneConfig

TINY = SelyneConfig(dim=32, latent=16, heads=2, depth=3, decoder_depth=1, prototypes=2, dropout=0.0, classes=4)


def run(*arguments, **environment) -> subprocess.CompletedProcess:
    """The installed command, as a user runs it."""
    command = [sys.executable, "-c", "from attractor.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


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
