"""A fitted classifier of graphs as a folder, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from attractor.data.graphs.folds import Fold
from attractor.data.graphs.packed import Encoder
from attractor.errors import InputError
from attractor.models import GraphET, GraphETConfig
from attractor.models.store import build, load_weights
from attractor.tasks.saving import WEIGHTS, load_parts, refusing_foreign, save_parts

if TYPE_CHECKING:
    from attractor.tasks.graphs.classifier import GraphClassifier

TASK = "GraphClassifier"
SPLIT = ("train", "validation", "test")


def save_classifier(classifier: GraphClassifier, folder: Path) -> Path:
    """Write every network and the split, the settings, and what the networks read."""
    config = {
        "classifier": classifier.get_params(deep=False),
        "model": classifier.members_[0].config.to_dict(),
        "encoder": asdict(classifier.encoder_),
        "classes": list(classifier.classes_),
    }
    return save_parts(folder, TASK, config, {}, member_tensors(classifier.members_) | split_tensors(classifier.split_))


def load_classifier(kind: type[GraphClassifier], folder: Path) -> GraphClassifier:
    """Read what :func:`save_classifier` wrote; anything missing, broken or foreign raises :class:`InputError`."""
    config, _, tensors = load_parts(folder, TASK)
    with refusing_foreign(folder):
        classifier = kind(**config["classifier"])
        classifier._check_settings()
        classifier.encoder_, classifier.members_ = load_networks(config, tensors, classifier.members, folder)
        classifier.classes_ = tuple(config["classes"])
        classifier.split_ = load_split(tensors)
        if len(classifier.classes_) != classifier.members_[0].config.classes:
            raise InputError(f"{folder / 'config.json'} names {len(classifier.classes_)} classes; fit it again")
    return classifier


def member_tensors(members: Sequence[GraphET]) -> dict[str, Tensor]:
    """The weights of every network, by name."""
    return {f"members.{number}.{name}": t for number, m in enumerate(members) for name, t in m.state_dict().items()}


def split_tensors(split: Fold) -> dict[str, Tensor]:
    """The numbers of the graphs of every part, by name."""
    return {f"split.{name}": getattr(split, name) for name in SPLIT}


def load_split(tensors: dict[str, Tensor]) -> Fold:
    """What :func:`split_tensors` named."""
    return Fold(*(tensors[f"split.{name}"] for name in SPLIT))


def load_networks(
    config: dict[str, Any], tensors: dict[str, Tensor], members: int, folder: Path
) -> tuple[Encoder, list[GraphET]]:
    """The encoder, and the networks where they can run fastest, in evaluation mode; they must fit each other."""
    encoder, sizes = Encoder.from_dict(config["encoder"]), GraphETConfig.from_dict(config["model"])
    if (encoder.features, encoder.positions, encoder.links) != (sizes.features, sizes.positions, sizes.links):
        raise InputError(f"{folder / 'config.json'}: encoder and model do not fit each other; fit it again")
    weights, networks = str(folder / WEIGHTS), []
    for number in range(members):
        prefix = f"members.{number}."
        network = build(sizes, tensors, weights, prefix)
        mine = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        load_weights(network, mine, weights)
        networks.append(network.to("cuda" if torch.cuda.is_available() else "cpu").eval().requires_grad_(False))
    return encoder, networks
