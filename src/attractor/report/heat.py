"""Heat maps as pictures, one file an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from attractor.data.images import read_image, resize
from attractor.files import replacing
from attractor.report.pictures import overlay


def write_heat_maps(
    paths: Sequence[str], heats: Sequence[np.ndarray], limits: tuple[float, float], folder: str | Path
) -> list[Path]:
    """Write ``NUMBER_NAME.png`` for every image: the picture in grey under its heat, all on the scale ``limits``."""
    written = []
    for number, (path, heat) in enumerate(zip(paths, heats, strict=True)):
        target = Path(folder) / f"{number:05d}_{Path(path).stem[:60]}.png"
        picture = overlay(resize(read_image(path), heat.shape), heat, limits)
        with replacing(target) as temporary:
            Image.fromarray(picture).save(temporary)
        written.append(target)
    return written
