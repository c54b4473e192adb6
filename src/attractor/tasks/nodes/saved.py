"""A fitted detector of odd nodes as a folder, and back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from attractor.errors import InputError
from attractor.models import NodeETConfig
from attractor.models.store import build, load_weights
from attractor.scoring.conformal import ConformalCalibrator
from attractor.tasks.saving import WEIGHTS, load_parts, refusing_foreign, save_parts
from attractor.tasks.splitting import load_split, split_tensors

if TYPE_CHECKING:
    from attractor.tasks.nodes.detector import NodeAnomalyDetector

TASK = "NodeAnomalyDetector"
FITTED = ("supervised_", "features_", "relations_")


def save_detector(detector: NodeAnomalyDetector, folder: Path) -> Path:
    """Write every network and the split, the settings, and what it decides by."""
    tensors = split_tensors(detector.split_)
    for number, member in enumerate(detector.members_):
        tensors |= {f"members.{number}.{name}": t for name, t in member.state_dict().items()}
    config = {
        "detector": detector.get_params(deep=False),
        "model": detector.members_[0].config.to_dict(),
        "fitted": {name: getattr(detector, name) for name in FITTED},
    }
    calibration = {
        "threshold": detector.threshold_,
        "scales": detector.scales_,
        "calibrator": detector.calibrator_.to_json(),
    }
    return save_parts(folder, TASK, config, calibration, tensors)


def load_detector(kind: type[NodeAnomalyDetector], folder: Path) -> NodeAnomalyDetector:
    """Read what :func:`save_detector` wrote; anything missing, broken or foreign raises :class:`InputError`."""
    config, calibration, tensors = load_parts(folder, TASK)
    weights = str(folder / WEIGHTS)
    with refusing_foreign(folder):
        detector = kind(**config["detector"])
        detector._check_settings()
        sizes = NodeETConfig.from_dict(config["model"])
        detector.split_ = load_split(tensors)
        detector.threshold_ = float(calibration["threshold"])
        detector.scales_ = {name: (float(mean), float(std)) for name, (mean, std) in calibration["scales"].items()}
        detector.calibrator_ = ConformalCalibrator.from_json(calibration["calibrator"])
        if not math.isfinite(detector.threshold_) or (not config["fitted"]["supervised_"]) != bool(detector.scales_):
            raise InputError(f"{folder / 'calibration.json'} decides by no number; fit it again")
        members = []
        for number in range(detector.members):
            prefix = f"members.{number}."
            member = build(sizes, tensors, weights, prefix)
            mine = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            load_weights(member, mine, weights)
            members.append(member.to("cuda" if torch.cuda.is_available() else "cpu").eval().requires_grad_(False))
        detector.members_ = members
        for name in FITTED:
            setattr(detector, name, config["fitted"][name])
    return detector
