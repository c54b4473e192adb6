"""A fitted detector of odd nodes as a folder, and back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from attractor.errors import InputError
from attractor.models import NodeETConfig
from attractor.scoring.conformal import ConformalCalibrator
from attractor.tasks.members import load_members, module_tensors
from attractor.tasks.saving import load_parts, refusing_foreign, save_parts, settings_of
from attractor.tasks.splitting import load_split, split_tensors

if TYPE_CHECKING:
    from attractor.tasks.nodes.detector import NodeAnomalyDetector

TASK = "NodeAnomalyDetector"
FITTED = ("supervised_", "features_", "relations_")


def save_detector(detector: NodeAnomalyDetector, folder: Path) -> Path:
    """Write every network and the split, the settings, and what it decides by."""
    config = {
        "detector": settings_of(detector),
        "model": detector.members_[0].config.to_dict(),
        "fitted": {name: getattr(detector, name) for name in (*FITTED, "columns_")},
    }
    calibration = {
        "threshold": detector.threshold_,
        "scales": detector.scales_,
        "calibrator": detector.calibrator_.to_json(),
    }
    tensors = module_tensors("members", detector.members_) | split_tensors(detector.split_)
    return save_parts(folder, TASK, config, calibration, tensors)


def load_detector(kind: type[NodeAnomalyDetector], folder: Path) -> NodeAnomalyDetector:
    """Read what :func:`save_detector` wrote; anything missing, broken or foreign raises :class:`InputError`."""
    config, calibration, tensors = load_parts(folder, TASK)
    with refusing_foreign(folder):
        detector = kind(**{**config["detector"], "fanouts": tuple(config["detector"]["fanouts"])})
        detector._check_settings()
        detector.split_ = load_split(tensors)
        detector.threshold_ = float(calibration["threshold"])
        detector.scales_ = {name: (float(mean), float(std)) for name, (mean, std) in calibration["scales"].items()}
        detector.calibrator_ = ConformalCalibrator.from_json(calibration["calibrator"])
        if not math.isfinite(detector.threshold_) or (not config["fitted"]["supervised_"]) != bool(detector.scales_):
            raise InputError(f"{folder / 'calibration.json'} decides by no number; fit it again")
        detector.members_ = load_members(NodeETConfig.from_dict(config["model"]), tensors, detector.members, folder)
        for name in FITTED:
            setattr(detector, name, config["fitted"][name])
        columns = config["fitted"].get("columns_")  # folders saved before there were any name none
        detector.columns_ = columns and tuple(columns)
        _require_same_relations(detector, folder)
    return detector


def _require_same_relations(detector: NodeAnomalyDetector, folder: Path) -> None:
    """That the settings are those of the networks: they are text, which people change."""
    network = detector.members_[0].config
    relations = len(detector.relations_) if detector.relations == "separate" else 1
    if (network.relations, network.features) != (relations, detector.features_ + relations):
        kinds = "merged edges" if network.relations == 1 else f"{network.relations} separate relations"
        held = f"{kinds} and {network.features - network.relations} features"
        said = f"relations {detector.relations!r}, {', '.join(detector.relations_)}, and {detector.features_} features"
        raise InputError(
            f"{folder / 'config.json'} says {said}, but its weights are for {held}; set it back, or fit again"
        )
