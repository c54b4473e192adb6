"""In-painting: hidden pixels filled in by the descent of an energy, every other pixel as it was given."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from sklearn.base import BaseEstimator, TransformerMixin
from torch import Tensor

from attractor.console import progress
from attractor.data.batches import load_images
from attractor.data.images import UnreadableImage
from attractor.data.masks import patches_of
from attractor.data.sources import as_source
from attractor.dynamics import Rule
from attractor.dynamics.rules import find_rule, seeks_fixed_point
from attractor.errors import InputError
from attractor.models import ImageET
from attractor.models.patches import unpatchify
from attractor.models.store import fingerprint
from attractor.scoring.inpainting import psnr
from attractor.tasks import settings
from attractor.tasks.inpainting.saved import load_inpainter, save_inpainter
from attractor.tasks.inpainting.sketches import Painting, Sketch, batches, masks_by, prepare
from attractor.tasks.inpainting.walk import Walk, unsettled
from attractor.tasks.saving import Saved, whole_or_not_at_all
from attractor.tasks.starting import starting_model
from attractor.training.inpainting import Inpainting, InpaintRecipe
from attractor.training.loop import train
from attractor.training.seeding import seeded


class Inpainter(Saved, TransformerMixin, BaseEstimator):
    """Fills in what is hidden of an image, by an Energy Transformer.

    ``model``: a shipped name (``"et-tiny"``), a folder that ``attractor inpaint fit`` or this class wrote, or an
    :class:`~attractor.models.ImageET`; with ``pretrained=False`` a named model starts from random weights and must be
    fitted. ``epochs`` and the peak learning rate ``lr`` are those of :meth:`fit`. ``rule``, ``steps`` and
    ``step_size``: the descent, the model's own where None (see :func:`~attractor.dynamics.descend`).
    ``size``: an image of another size is looked at at the ``"model"``'s, and what is painted is resized back, or at
    its ``"own"``. The first is the default because patches and positions then are those of training: under the same
    masks it fills nearer the original, and its cost does not grow with the image.

    Nothing happens before it is used. Without :meth:`fit` the pretrained model paints as it is. Fitted attributes:
    ``model_``, ``recipe_``, ``split_``, ``history_`` (a row an epoch), ``unreadable_``.
    """

    _write, _read = save_inpainter, classmethod(load_inpainter)
    _free = ("model", "pretrained", "epochs", "lr", "rule", "steps", "step_size", "size", "seed")
    _unfitted: tuple[Any, bool] | None = None  # the settings that model_ was made of, where it is not a fitted one

    def __init__(
        self,
        model: str | PathLike[str] | ImageET = "et-tiny",
        *,
        pretrained: bool = True,
        epochs: int = 10,
        lr: float = 5e-4,
        rule: str | Rule = "fixed",
        steps: int | None = None,
        step_size: float | None = None,
        size: str = "model",
        seed: int = 0,
    ):
        self.model = model
        self.pretrained = pretrained
        self.epochs = epochs
        self.lr = lr
        self.rule = rule
        self.steps = steps
        self.step_size = step_size
        self.size = size
        self.seed = seed

    # --- fitting -----------------------------------------------------------------------------------------------

    @whole_or_not_at_all
    def fit(
        self, images: Any, y: Any = None, *, checkpoint: str | PathLike[str] | None = None, resume: bool = False
    ) -> Inpainter:
        """Learn from whole images: a folder, paths, an array, a tensor (:func:`attractor.data.sources.as_source`).

        They are resized to the model's size and held in memory; unreadable files are left out and listed in
        ``unreadable_``. ``checkpoint`` is a folder in which training is checkpointed and from which ``resume``
        continues. Raises :class:`InputError` where there is no image to read.
        """
        self._check_settings()
        with seeded(int(self.seed)):
            model = self._start()
        source = as_source(images, model.config.channels)
        unreadable: list[UnreadableImage] = []
        _, pixels = load_images(source, model.config.image_size, unreadable)
        if not len(pixels):
            raise InputError(f"none of the {len(source)} images can be read; the first: {unreadable[0]}")
        numbers = {"epochs": int(self.epochs), "lr": float(self.lr), "seed": int(self.seed)}
        named = {"name": "inpainter", "data": "images", "model": model.config.to_dict()}
        recipe = InpaintRecipe.parse({**named, **numbers, "batch_size": 32, "warmup_epochs": 0.2}, "Inpainter")
        self.model_, self._unfitted = model, None
        self.train(recipe, pixels, checkpoint=checkpoint, resume=resume)
        self.unreadable_ = unreadable
        return self

    def train(
        self,
        recipe: InpaintRecipe,
        images: Tensor,
        val_images: Tensor | None = None,
        *,
        checkpoint: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> Inpainter:
        """Train by a recipe, on uint8 images ``(N, C, H, W)`` of the model's size; the rest as :meth:`fit`."""
        objective = _Run(recipe, images, val_images, self.ready())
        self._unfitted = None
        objective.settings = {**objective.settings, "images": fingerprint([images])}
        self.recipe_ = recipe
        self.split_ = {"train_images": len(images), "val_images": 0 if val_images is None else len(val_images)}
        folder = None if checkpoint is None else Path(checkpoint).expanduser()
        self.history_ = train(objective, recipe.schedule(), folder, resume)
        return self

    def _check_settings(self) -> None:
        """Refuse what cannot work before any work is done."""
        find_rule(self.rule)
        settings.one_of("size", self.size, ("model", "own"))
        settings.whole_number("epochs", self.epochs, 1)
        settings.seed(self.seed)
        settings.above_zero("lr", self.lr)
        if self.steps is not None:
            settings.whole_number("steps", self.steps, 0)
        if self.step_size is not None:
            settings.above_zero("step_size", self.step_size)

    def _start(self) -> ImageET:
        """The model to begin with."""
        return starting_model(self.model, "image-et", self.pretrained)

    def ready(self) -> ImageET:
        """The model that paints: the fitted one, or the pretrained one as it is."""
        self._check_settings()
        settings = (self.model, self.pretrained)
        if not hasattr(self, "model_") or self._unfitted not in (None, settings):
            if not self.pretrained and not isinstance(self.model, ImageET):
                raise InputError("this Inpainter has random weights; call fit, or take pretrained=True")
            self.model_, self._unfitted = self._start(), settings
        return self.model_

    # --- painting ----------------------------------------------------------------------------------------------

    def transform(self, images: Any, mask: Any = None, *, share: float = 0.5, seed: int = 0) -> Any:
        """The images with their hidden pixels filled in, float32 ``(B, C, H, W)`` in 0..1; a list where sizes differ.

        A tensor for a tensor, else an array. ``mask``: hidden pixels, bool ``(H, W)`` for all images, ``(B, H, W)``,
        or a list; ``"block"`` hides the central half of both sides; without one a ``share`` of the patches is drawn
        from ``seed`` and the image's number. Every visible pixel comes back exactly as given. Raises
        :class:`InputError` on an image that cannot be read, a mask that does not fit and a descent that overflows.
        """
        filled = [painting.filled for painting in self.paint(images, mask, share=share, seed=seed)]
        one_size = len({picture.shape for picture in filled}) == 1
        if isinstance(images, Tensor):
            return torch.stack(filled)
        return torch.stack(filled).numpy() if one_size else [picture.numpy() for picture in filled]

    def score(self, images: Any, mask: Any = None, *, share: float = 0.5, seed: int = 0) -> float:
        """Mean PSNR in dB of the hidden pixels of whole images; the rest as :meth:`transform`."""
        errors = [painting.mse for painting in self.paint(images, mask, share=share, seed=seed)]
        return float(psnr(torch.stack(errors)).mean())

    def trace(self, images: Any, mask: Any = None, *, share: float = 0.5, seed: int = 0) -> Walk:
        """The descent itself, as the model sees it; images that it sees at one size, the rest as :meth:`transform`."""
        model = self.ready()
        sketches = list(self._sketches(images, mask, share, seed))
        if len({sketch.frame.size for sketch in sketches}) > 1:
            raise InputError("these images differ in size; trace them one at a time, or with size='model'")
        views, hidden = _stacked(sketches, model)
        if not hidden.any(dim=1).all():
            raise InputError("what is hidden is too thin to be seen at the model's size; take size 'own' (--size own)")
        return Walk.of(model, views, hidden, self.rule, self.steps, self.step_size)

    def paint(
        self,
        images: Any,
        mask: Any = None,
        *,
        share: float = 0.5,
        seed: int = 0,
        unreadable: list[UnreadableImage] | None = None,
    ) -> Iterator[Painting]:
        """What :meth:`transform` does, image by image, so that any number of them can be painted.

        With a list ``unreadable`` images that cannot be read, or are too small for their mask, are appended to it and
        left out.
        """
        for batch in batches(self._sketches(images, mask, share, seed, unreadable)):
            for sketch, painted, halfway in zip(batch, *self._descend(batch), strict=True):
                yield sketch.painting(painted, halfway)

    def _sketches(
        self, images: Any, mask: Any, share: float, seed: int, unreadable: list[UnreadableImage] | None = None
    ) -> Iterator[Sketch]:
        config = self.ready().config
        source = as_source(images, config.channels)
        sketches = prepare(source, masks_by(mask, len(source), share, seed), config, self.size, unreadable)
        return progress(sketches, "painting", total=len(source))

    @torch.no_grad()
    def _descend(self, batch: list[Sketch]) -> tuple[Tensor, list[bool]]:
        """What the tokens show in the end, ``(B, C, h, w)`` in 0..1, and which of them are unsettled."""
        model = self.ready()
        views, hidden = _stacked(batch, model)
        seeking = seeks_fixed_point(self.rule)  # else nobody asks for the trace, which costs time
        x, traces = model.evolve(
            model.tokens(views, hidden), self.rule, seeking, steps=self.steps, step_size=self.step_size
        )
        painted = unpatchify(model.read(x).float(), model.grid(views), model.config.patch)
        if not painted.isfinite().all():
            raise InputError("the descent went beyond all numbers; take a smaller step size, or the guaranteed rule")
        halfway = unsettled(self.rule, traces).tolist() if seeking else [False] * len(batch)
        return model.denormalize(painted).cpu(), halfway

    def _check_fitted(self) -> None:
        """Refuse random weights; a pretrained model paints as it is."""
        self.ready()


class _Run(Inpainting):
    """Training of a model that the in-painter itself will save."""

    def keep(self, name: str, folder: Path) -> None:
        """Write nothing."""


def _stacked(sketches: list[Sketch], model: ImageET) -> tuple[Tensor, Tensor]:
    """Normalised views ``(B, C, h, w)`` and hidden patches ``(B, N)``, where the model is."""
    where = model.mean.device
    views = torch.stack([sketch.view for sketch in sketches]).to(where)
    blank = torch.stack([sketch.blank for sketch in sketches]).to(where)
    return model.normalize(views), patches_of(blank, model.config.patch)
