"""A fitted classifier or detector of graphs as a folder, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from attractor.data.graphs.graph_set import Value
from attractor.data.graphs.packed import Encoder
from attractor.errors import InputError
from attractor.models import GraphET, GraphETConfig
from attractor.models.store import load_weights
from attractor.scoring.conformal import ConformalCalibrator
from attractor.tasks.graphs.scores import GraphScorer
from attractor.tasks.members import load_members, module_tensors, part_of
from attractor.tasks.saving import WEIGHTS, load_parts, refusing_foreign, save_parts, settings_of
from attractor.tasks.splitting import load_split, split_tensors

if TYPE_CHECKING:
    from attractor.tasks.graphs.classifier import GraphClassifier
    from attractor.tasks.graphs.detector import GraphAnomalyDetector

CLASSIFIER, DETECTOR = "GraphClassifier", "GraphAnomalyDetector"


def save_classifier(classifier: GraphClassifier, folder: Path) -> Path:
    """Write every network and the split, the settings, and what the networks read."""
    config = {
        "classifier": settings_of(classifier),
        "model": classifier.members_[0].config.to_dict(),
        "encoder": asdict(classifier.encoder_),
        "classes": classifier.classes_.tolist(),
    }
    tensors = module_tensors("members", classifier.members_) | split_tensors(classifier.split_)
    return save_parts(folder, CLASSIFIER, config, {}, tensors)


def load_classifier(kind: type[GraphClassifier], folder: Path) -> GraphClassifier:
    """Read what :func:`save_classifier` wrote; anything missing, broken or foreign raises :class:`InputError`."""
    config, _, tensors = load_parts(folder, CLASSIFIER)
    with refusing_foreign(folder):
        classifier = kind(**config["classifier"])
        classifier._check_settings()
        classifier.encoder_, classifier.members_ = _load_networks(config, tensors, classifier.members, folder)
        classifier.classes_ = as_array(config["classes"])
        classifier.split_ = load_split(tensors)
        if len(classifier.classes_) != classifier.members_[0].config.classes:
            raise InputError(f"{folder / 'config.json'} names {len(classifier.classes_)} classes; fit it again")
    return classifier


def as_array(classes: Sequence[Value]) -> NDArray[Any]:
    """The classes ``(C,)``; of several kinds, such as numbers and text, as objects, so that each stays what it is."""
    same = len({type(value) for value in classes}) == 1
    return np.array(classes, dtype=None if same else object)


def save_detector(detector: GraphAnomalyDetector, folder: Path) -> Path:
    """Write every network with its scorer, the split, the settings, what the networks read, and what decides."""
    config = {
        "detector": settings_of(detector),
        "model": detector.members_[0].config.to_dict(),
        "encoder": asdict(detector.encoder_),
    }
    modules = module_tensors("members", detector.members_) | module_tensors("scorers", detector.scorers_)
    calibration = {"calibrator": detector.calibrator_.to_json()}
    return save_parts(folder, DETECTOR, config, calibration, modules | split_tensors(detector.split_))


def load_detector(kind: type[GraphAnomalyDetector], folder: Path) -> GraphAnomalyDetector:
    """Read what :func:`save_detector` wrote; anything missing, broken or foreign raises :class:`InputError`."""
    config, calibration, tensors = load_parts(folder, DETECTOR)
    with refusing_foreign(folder):
        detector = kind(**config["detector"])
        detector._check_settings()
        detector.encoder_, detector.members_ = _load_networks(config, tensors, detector.members, folder)
        detector.scorers_ = [GraphScorer(member.config.dim) for member in detector.members_]
        for number, scorer in enumerate(detector.scorers_):
            load_weights(scorer, part_of(tensors, f"scorers.{number}."), str(folder / WEIGHTS))
        detector.split_ = load_split(tensors)
        detector.calibrator_ = ConformalCalibrator.from_json(calibration["calibrator"])
        detector.threshold_ = detector.calibrator_.threshold
    return detector


def _load_networks(
    config: dict[str, Any], tensors: dict[str, Tensor], members: int, folder: Path
) -> tuple[Encoder, list[GraphET]]:
    """The encoder and the networks, which must fit each other."""
    encoder, sizes = Encoder.from_dict(config["encoder"]), GraphETConfig.from_dict(config["model"])
    if (encoder.features, encoder.positions, encoder.links) != (sizes.features, sizes.positions, sizes.links):
        raise InputError(f"{folder / 'config.json'}: encoder and model do not fit each other; fit it again")
    return encoder, load_members(sizes, tensors, members, folder)
