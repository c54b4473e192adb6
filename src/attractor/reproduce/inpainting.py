"""Rows of in-painting: train by a recipe, or take weights that ship, and paint what is hidden of unseen images."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from attractor.data.sets.labelled_sets import SPLITS, labelled_set
from attractor.report import write_inpainting_figure
from attractor.reproduce.part import Kind, Part
from attractor.tasks import Inpainter
from attractor.training.checkpoint import CHECKPOINT
from attractor.training.inpainting import InpaintRecipe
from attractor.training.recipe import read_recipe, shipped
from attractor.training.runs import RESULT, train_painter, write_painter

MASKS = {"random patches": None, "central block": "block"}


class Inpainting(Kind):
    """PSNR in dB on hidden pixels; settings are a ``model`` or a ``recipe``, and the ``share`` of hidden patches."""

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """One part for each kind of mask."""
        for name, mask in MASKS.items():
            yield Part(name, partial(self.measure, mask, name, settings, seed))

    def measure(self, mask: str | None, name: str, settings: dict[str, Any], seed: int) -> dict[str, float]:
        """Paint all images of the validation split."""
        painter = self.painter(settings, seed)
        images = self.images(SPLITS[self.data][1], painter.ready().config.image_size)
        return {f"psnr, {name}": painter.score(images, mask, share=settings.get("share", 0.5), seed=seed)}

    def weights(self, settings: dict[str, Any], seed: int) -> Path | None:
        """Those that ship or are given, else those of the seed's own run."""
        return self.run_folder(settings, seed) if "recipe" in settings else super().weights(settings, seed)

    def images(self, split: str, size: tuple[int, int]) -> Tensor:
        """One split of the set, uint8 ``(N, C, H, W)``."""
        return labelled_set(self.data, self.folder, split, size).images

    def painter(self, settings: dict[str, Any], seed: int) -> Inpainter:
        """The in-painter, trained first where the row says so."""
        if "model" in settings:
            return Inpainter(settings["model"])
        work = self.run_folder(settings, seed)
        if not (work / RESULT).exists():
            self.train(settings["recipe"], seed, work)
        return Inpainter.load(work)

    def train(self, name: str, seed: int, work: Path) -> None:
        """As ``attractor inpaint fit --recipe`` does, on the row's set."""
        recipe = read_recipe(shipped(name), InpaintRecipe, seed)
        train, val = (self.images(split, recipe.config().image_size) for split in SPLITS[self.data])
        painter = train_painter(Inpainter, recipe, train, val, work, resume=(work / CHECKPOINT).exists())
        write_painter(painter, work, write_inpainting_figure)
