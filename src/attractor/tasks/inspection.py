"""What a saved model or detector is, as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attractor.energy import GloebaAttention
from attractor.files import read_json
from attractor.models import Selyne
from attractor.models.store import pretrained
from attractor.tasks.anomaly import AnomalyDetector


def describe(folder: Path) -> dict[str, Any]:
    """Settings, sizes, calibration and heads of a detector's or a model's folder (or of a shipped model's name)."""
    config = folder / "config.json"
    if config.exists() and isinstance(values := read_json(config), dict) and values.get("task") == "AnomalyDetector":
        detector = AnomalyDetector.load(folder)
        return {**_detector(detector, values["detector"]), **_model(detector.scorer_.model)}
    return _model(pretrained(str(folder)))


def _detector(detector: AnomalyDetector, settings: dict[str, Any]) -> dict[str, Any]:
    calibration = {
        name: {
            "images": len(calibrator.scores),
            "threshold": calibrator.threshold,
            "false_alarm_rate": calibrator.achievable_rate,
        }
        for name, calibrator in detector.calibrators_.items()
    }
    return {"detector": settings, "split": detector.split_, "calibration": calibration}


def _model(model: Selyne) -> dict[str, Any]:
    groups: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        group = name.split(".")[0]
        groups[group] = groups.get(group, 0) + parameter.numel()
    return {
        "model": model.config.to_dict(),
        "parameters": {"total": sum(groups.values()), **groups},
        "heads": heads(model),
    }


def heads(model: Selyne) -> list[dict[str, Any]]:
    """Temperature, scale and territory of every Gloeba head, by block; none for standard attention."""
    rows = []
    for place, attention in model.named_modules():
        if not isinstance(attention, GloebaAttention):
            continue
        temperatures, scales = attention.temperature().tolist(), attention.norm_scale.abs().tolist()
        for head, territory in enumerate(attention.territory()):
            rows.append(
                {
                    "block": place.removesuffix(".attn"),
                    "head": head,
                    "temperature": temperatures[head],
                    "scale": scales[head],
                    "asymmetry": territory.asymmetry,
                    "lowest": territory.lowest,
                    "highest": territory.highest,
                    "territory": str(territory),
                }
            )
    return rows
