"""Training before a fit: of the encoder, as published, or of a net beside it that finds damage."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from os import PathLike
from typing import cast

import numpy as np
import torch

from attractor.data.batches import read_canvas, view_batches_with_progress
from attractor.data.images import UnreadableImage
from attractor.data.sources import ImageSource
from attractor.errors import InputError
from attractor.models.damage_net import DamageNet
from attractor.tasks.detection.scorer import ImageScorer
from attractor.training.damaged import DamageSpotting, damage_schedule
from attractor.training.loop import train
from attractor.training.objective import Objective
from attractor.training.oneclass import OneClass, published_schedule

VIEWS = 20_000  # held in memory for the encoder; a random choice where there are more
IMAGES = 1_000  # held in memory for the net; a random choice where there are more
TUNINGS = {"one-class": published_schedule, "damage": damage_schedule}


def tune(
    scorer: ImageScorer,
    source: ImageSource,
    tuning: str,
    epochs: int | None,
    seed: int,
    checkpoint: str | PathLike[str] | None,
    resume: bool,
) -> None:
    """Train what ``tuning`` names on normal images, in place; raises :class:`InputError` where none can be read."""
    schedule = TUNINGS[tuning](seed=int(seed))
    if epochs is not None:
        schedule = replace(schedule, epochs=int(epochs))
    objective = (_damage if tuning == "damage" else _one_class)(scorer, source, int(seed))
    train(objective, schedule, checkpoint, resume)
    scorer.eval()


def _one_class(scorer: ImageScorer, source: ImageSource, seed: int) -> Objective:
    batches = [views for _, views in view_batches_with_progress(source, scorer.viewing, "reading", [])]
    if not batches:
        raise _unreadable(source)
    views = torch.cat(batches)
    generator = torch.Generator().manual_seed(seed)
    return OneClass(scorer.model, views[torch.randperm(len(views), generator=generator)[:VIEWS]])


def _damage(scorer: ImageScorer, source: ImageSource, seed: int) -> Objective:
    images = []
    for i in np.random.default_rng(seed).permutation(len(source))[:IMAGES]:
        with contextlib.suppress(UnreadableImage):  # the fit, which reads every image, lists it
            images.append(torch.from_numpy(read_canvas(source, i, scorer.viewing)[0].transpose(2, 0, 1).copy()))
    if not images:
        raise _unreadable(source)
    net = cast(DamageNet, scorer.methods["damage"].get_submodule("net"))
    return DamageSpotting(net, images, scorer.viewing.size)


def _unreadable(source: ImageSource) -> InputError:
    return InputError(f"none of the {len(source)} images in {source.place} can be read; give readable ones")
