"""Real pictures that need no network: scikit-image's photographs; the gravel whole and damaged."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from attractor.errors import InputError
from attractor.files import replacing

SIDE = 96  # pixels; a stone of the gravel is about 20 across
TRAIN, CALIBRATION, GOOD, DAMAGED = 200, 100, 60, 12  # pictures in the folders, the last of each kind of damage

Damage = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def write_textures(folder: str | Path, seed: int = 0) -> Path:
    """Write a small defect data set in the MVTec-AD layout and return its folder.

    Gravel crops, grey ``(96, 96)``: ``train/good`` from the left half of the photograph, ``calibration`` from the
    upper half of the rest, all of ``test`` from the lower, so no pixel is in two of them. The damage is painted; its
    masks are under ``ground_truth``. Crops of one part overlap: those of ``train/good`` are too much alike to calibrate
    on. Raises :class:`InputError` where scikit-image, whose package holds the photographs, is not installed.
    """
    folder, rng = Path(folder), np.random.default_rng(seed)
    left, right = np.hsplit(_photograph("gravel"), 2)
    upper, lower = np.vsplit(right, 2)
    for i in range(TRAIN):
        _save(_crop(left, rng), folder / "train" / "good" / f"{i:03d}.png")
    for i in range(CALIBRATION):
        _save(_crop(upper, rng), folder / "calibration" / f"{i:03d}.png")
    for i in range(GOOD):
        _save(_crop(lower, rng), folder / "test" / "good" / f"{i:03d}.png")
    for kind, damage in DAMAGES.items():
        for i in range(DAMAGED):
            image, mask = damage(_crop(lower, rng), rng)
            _save(image, folder / "test" / kind / f"{i:03d}.png")
            _save(mask, folder / "ground_truth" / kind / f"{i:03d}_mask.png")
    return folder


def write_photograph(path: Path) -> Path:
    """Write a colour photograph of 512 x 512 pixels, an astronaut, and return its path; errors as above."""
    _save(_photograph("astronaut"), path)
    return path


def _scratch(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A thin bowed line, bright or dark, that fades in and out."""
    along = np.linspace(-1, 1, 400)
    length, bow, angle = rng.uniform(26, 42), rng.uniform(-7, 7), rng.uniform(0, np.pi)
    line = np.stack([length * along, bow * (1 - along**2)])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    column, row = turn @ line + rng.uniform(0.4, 0.6, size=(2, 1)) * SIDE
    ink = np.zeros_like(image)
    inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
    ink[row[inside].astype(int), column[inside].astype(int)] = (1 - along[inside] ** 4) ** 0.5
    alpha = np.clip(2.2 * gaussian_filter(ink, rng.uniform(0.7, 0.9)), 0, 1)
    tone = rng.choice([0.05, 0.9])
    return image + 0.8 * alpha * (tone - image), alpha > 0.35


def _hole(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A dark pit whose rim catches the light on one side and lies in shadow on the other."""
    alpha = _blob(rng, radius=rng.uniform(7, 11), softness=1.5)
    slope = gaussian_filter1d(alpha, 1.5, axis=0, order=1)
    return image * (1 - 0.65 * alpha) + 0.5 * slope, alpha > 0.5


def _stain(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A translucent dark film, thickest where it dried at its edge."""
    alpha = _blob(rng, radius=rng.uniform(15, 20), softness=1.0)
    edge = 4 * alpha * (1 - gaussian_filter(alpha, 2))
    return image + (0.5 * alpha + 0.1 * edge) * (0.15 - image), alpha > 0.5


def _foreign(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A patch of grass or brick, as bright on average as the gravel it covers."""
    alpha = _blob(rng, radius=rng.uniform(13, 18), softness=1.5)
    other = _crop(_photograph(rng.choice(["grass", "brick"])), rng)
    other += np.average(image - other, weights=alpha)
    return image + alpha * (other - image), alpha > 0.5


def _blur(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A smeared area: the same stones, without their edges."""
    alpha = _blob(rng, radius=rng.uniform(14, 19), softness=2.0)
    smeared = gaussian_filter1d(gaussian_filter(image, 1.5), 3, axis=int(rng.integers(2)))
    return image + alpha * (smeared - image), alpha > 0.5


DAMAGES: dict[str, Damage] = {
    "scratch": _scratch,
    "hole": _hole,
    "stain": _stain,
    "foreign": _foreign,
    "blur": _blur,
}


def _blob(rng: np.random.Generator, radius: float, softness: float) -> np.ndarray:
    """Opacity ``(96, 96)`` in 0..1 of an irregular round patch inside the picture; lengths in pixels."""
    y, x = np.mgrid[:SIDE, :SIDE] - rng.uniform(0.3, 0.7, size=(2, 1, 1)) * SIDE
    angle = np.arctan2(y, x)
    wobble = sum(rng.uniform(0, 0.4 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5))
    return 1 / (1 + np.exp((np.hypot(x, y) - radius * (1 + wobble)) / softness))


def _crop(photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random window, turned and mirrored at random, up to 5 % brighter or darker."""
    top, left = (rng.integers(size - SIDE + 1) for size in photograph.shape)
    window = np.rot90(photograph[top : top + SIDE, left : left + SIDE], int(rng.integers(4)))
    return (window if rng.random() < 0.5 else window[:, ::-1]) * rng.uniform(0.95, 1.05)


@cache
def _photograph(name: str) -> np.ndarray:
    """A picture of 512 x 512 pixels in 0..1, from the files inside the scikit-image package."""
    try:
        from skimage import data
    except ImportError as error:
        raise InputError("the demo needs scikit-image: pip install 'attractor[demo]'") from error
    return getattr(data, name)() / 255.0


def _save(image: np.ndarray, path: Path) -> None:
    with replacing(path) as temporary:
        Image.fromarray(np.uint8(np.clip(image, 0, 1) * 255 + 0.5)).save(temporary)
