"""What a saved model or detector is, as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from attractor.energy import GloebaAttention
from attractor.files import read_json
from attractor.models import ImageET, Selyne
from attractor.models.store import Model, find_model
from attractor.tasks.detection.detector import AnomalyDetector


def describe(folder: Path) -> dict[str, Any]:
    """Settings, sizes, calibration and heads of a detector's or a model's folder (or of a shipped model's name)."""
    config = folder / "config.json"
    if config.exists() and isinstance(values := read_json(config), dict) and values.get("task") == "AnomalyDetector":
        detector = AnomalyDetector.load(folder)
        return {**_detector(detector, values["detector"]), **_model(detector.scorer_.model)}
    return _model(find_model(str(folder)))


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


def _model(model: Model) -> dict[str, Any]:
    groups: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        group = name.split(".")[0]
        groups[group] = groups.get(group, 0) + parameter.numel()
    parts = _energies(model) if isinstance(model, ImageET) else {"heads": heads(model)}
    return {"model": model.config.to_dict(), "parameters": {"total": sum(groups.values()), **groups}, **parts}


@torch.no_grad()
def _energies(model: ImageET) -> dict[str, Any]:
    """Norm, heads and memory of every block: what its energy is made of."""
    norms, rows, memories = [], [], []
    for number, block in enumerate(model.descents):
        gamma, delta = block.norm.gamma, block.norm.delta
        norms.append({"block": number, "gamma": float(gamma), "|delta|": float(delta.norm())})
        attention, memory = block.attention, block.memory
        beta = torch.as_tensor(attention.beta).expand(attention.heads, 1, 1).flatten().tolist()
        sizes = attention.W.flatten(2).norm(dim=-1).T.tolist()  # (H, 2)
        for head, (query, key) in enumerate(sizes):
            rows.append({"block": number, "head": head, "beta": beta[head], "|W_Q|": query, "|W_K|": key})
        lengths = memory.xi.norm(dim=1)
        memories.append(
            {
                "block": number,
                "count": len(lengths),
                "activation": memory.activation,
                "mean |xi|": float(lengths.mean()),
                "largest |xi|": float(lengths.max()),
            }
        )
    return {"norms": norms, "heads": rows, "memories": memories}


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
