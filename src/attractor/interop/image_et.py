"""What both published image Energy Transformers have in common: the configuration of ours, from their sizes."""

from __future__ import annotations

from typing import Any

from attractor.interop.sizes import read_image_size, read_patch
from attractor.models import ImageETConfig


def configure(source: str, sizes: dict[str, int], image_size: tuple[int, int] | None, **settings: Any) -> ImageETConfig:
    """``sizes`` by the letters of MATH: D, H, Y, M, and P values a patch, N tokens with CLS; the rest as given.

    Both codes let a token attend to itself.
    """
    channels, patch = read_patch(source, sizes["P"])
    return ImageETConfig(
        image_size=read_image_size(source, sizes["N"] - 1, patch, image_size),
        channels=channels,
        patch=patch,
        dim=sizes["D"],
        heads=sizes["H"],
        head_dim=sizes["Y"],
        memories=sizes["M"],
        include_self=True,
        **settings,
    )
