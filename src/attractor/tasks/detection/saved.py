"""A fitted detector as a folder of three files that belong together, none of them a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from attractor.data.views import Viewing
from attractor.errors import InputError
from attractor.files import read_json, write_json
from attractor.models import SelyneConfig
from attractor.models.store import build, fingerprint, load_tensors, load_weights, save_tensors
from attractor.scoring.conformal import ConformalCalibrator
from attractor.scoring.methods import check_method
from attractor.tasks.detection.scorer import ImageScorer

if TYPE_CHECKING:
    from attractor.tasks.detection.detector import AnomalyDetector

FORMAT = 1


def save_detector(detector: AnomalyDetector, folder: Path) -> Path:
    """Write ``config.json``, ``model.safetensors`` and ``calibration.json``, each carrying the weights' fingerprint."""
    tensors = detector.scorer_.state_dict()
    identity = fingerprint(tensors.values())  # in all three files: parts of two detectors do not mix
    save_tensors(folder / "model.safetensors", tensors)
    write_json(
        folder / "calibration.json",
        {
            "methods": {name: c.to_json() for name, c in detector.calibrators_.items()},
            "heat_limits": detector.heat_limits_,
            "split": detector.split_,
            "weights": identity,
        },
    )
    settings = detector.get_params(deep=False)
    for name in ("model", "pretrained"):  # where the encoder came from: the detector holds it now
        settings.pop(name)
    write_json(
        folder / "config.json",
        {
            "format": FORMAT,
            "task": "AnomalyDetector",
            "weights": identity,
            "detector": settings,
            "model": detector.scorer_.model.config.to_dict(),
        },
    )
    return folder


def load_detector(kind: type[AnomalyDetector], folder: Path) -> AnomalyDetector:
    """Read what :func:`save_detector` wrote; anything missing, broken or foreign raises :class:`InputError`."""
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or (config.get("task"), config.get("format")) != ("AnomalyDetector", FORMAT):
        raise InputError(f"{folder / 'config.json'} is not an AnomalyDetector of format {FORMAT}; fit it again")
    calibration = read_json(folder / "calibration.json")
    weights = folder / "model.safetensors"
    tensors = load_tensors(weights)
    try:
        detector = kind(**config["detector"])
        model = build(SelyneConfig.from_dict(config["model"]), tensors, str(weights), "model.")
        viewing = Viewing(model.config.image_size, detector.tiles, detector.resolution)
        scorer = ImageScorer(model, viewing, damage=detector.tuning == "damage")
        check_method(detector.method, scorer.names)
        detector.calibrators_ = {n: ConformalCalibrator.from_json(c) for n, c in calibration["methods"].items()}
        detector.heat_limits_ = {n: (float(a), float(b)) for n, (a, b) in calibration["heat_limits"].items()}
        detector.split_ = calibration["split"]
        detector._check_settings()
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{folder} has settings that are missing or foreign ({error}); fit it again") from None
    if set(detector.calibrators_) != set(scorer.names):
        raise InputError(f"{folder / 'calibration.json'} is not about this detector's scores; fit it again")
    if not fingerprint(tensors.values()) == config.get("weights") == calibration.get("weights"):
        raise InputError(f"{folder} holds parts of different detectors (an interrupted save?); fit it again")
    load_weights(scorer, tensors, str(weights))
    detector.scorer_ = scorer.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return detector
