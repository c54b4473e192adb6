"""A fitted detector of odd images as a folder, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attractor.data.views import Viewing
from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig
from attractor.models.config import PRESETS
from attractor.models.device import default_device
from attractor.models.store import build, load_weights
from attractor.scoring.background import Background
from attractor.scoring.conformal import ConformalCalibrator
from attractor.scoring.methods import check_method
from attractor.tasks.detection.scorer import ImageScorer
from attractor.tasks.saving import WEIGHTS, load_parts, refusing_foreign, save_parts, settings_of

if TYPE_CHECKING:
    from attractor.tasks.detection.detector import AnomalyDetector

TASK = "AnomalyDetector"


def save_detector(detector: AnomalyDetector, folder: Path) -> Path:
    """Write every weight it scores with, its settings, and what it decides by."""
    check_method(detector.method, detector.scorer_.names)
    calibration = {
        "methods": {name: c.to_json() for name, c in detector.calibrators_.items()},
        "heat_limits": detector.heat_limits_,
        "split": detector.split_,
        "fitted_on": sorted(detector.fitted_on_),
    }
    config = {"detector": saved_settings(detector), "model": detector.scorer_.model.config.to_dict()}
    return save_parts(folder, TASK, config, calibration, detector.scorer_.state_dict())


def saved_settings(detector: AnomalyDetector) -> dict[str, Any]:
    """All of them but an encoder that others do not find by its name: an object, or a folder that is here alone."""
    name = None if isinstance(detector.model, Selyne) else str(detector.model)
    public = name is not None and (name in PRESETS or not Path(name).expanduser().exists())
    return {**({"model": name, "pretrained": detector.pretrained} if public else {}), **settings_of(detector)}


def load_detector(kind: type[AnomalyDetector], folder: Path) -> AnomalyDetector:
    """Read what :func:`save_detector` wrote; anything missing, broken or foreign raises :class:`InputError`."""
    config, calibration, tensors = load_parts(folder, TASK)
    weights = str(folder / WEIGHTS)
    with refusing_foreign(folder):
        detector = kind(**config["detector"])
        model = build(SelyneConfig.from_dict(config["model"]), tensors, weights, "model.")
        viewing = Viewing(model.config.image_size, detector.tiles, detector.resolution)
        background = Background(model.config) if any(name.startswith("background.") for name in tensors) else None
        scorer = ImageScorer(model, viewing, detector.tuning == "damage", background)
        if "model" not in config["detector"]:
            detector.model = model
        check_method(detector.method, scorer.names)
        detector.calibrators_ = {n: ConformalCalibrator.from_json(c) for n, c in calibration["methods"].items()}
        detector.heat_limits_ = {n: (float(a), float(b)) for n, (a, b) in calibration["heat_limits"].items()}
        detector.split_ = calibration["split"]
        detector.fitted_on_ = set(calibration.get("fitted_on", ()))
        detector.unreadable_ = []
        detector._check_settings()
    if set(detector.calibrators_) != set(scorer.names):
        raise InputError(f"{folder / 'calibration.json'} is not about this detector's scores; fit it again")
    load_weights(scorer, tensors, weights)
    detector.scorer_ = scorer.to(default_device()).eval()
    return detector
