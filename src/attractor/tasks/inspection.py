"""What a saved model or detector is, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from attractor.data.graphs.splits import Split
from attractor.energy import EnergyAttention, GloebaAttention, HopfieldMemory
from attractor.files import read_json
from attractor.models import GraphET, ImageET, NodeET, Selyne
from attractor.models.energy_block import EnergyBlock
from attractor.models.store import Model, load_model, model_folder
from attractor.scoring.conformal import ConformalCalibrator
from attractor.tasks.detection.detector import AnomalyDetector
from attractor.tasks.graphs import GraphAnomalyDetector, GraphClassifier
from attractor.tasks.inpainting.inpainter import Inpainter
from attractor.tasks.nodes.detector import NodeAnomalyDetector


def describe(folder: Path) -> dict[str, Any]:
    """Settings, sizes, calibration and heads of a detector's or a model's folder, or shipped or Hub name."""
    folder = model_folder(str(folder))
    config = folder / "config.json"
    found = read_json(config) if config.exists() else None
    values: dict[str, Any] = found if isinstance(found, dict) else {}
    task = TASKS.get(str(values.get("task")))
    return task(folder, values) if task else _model(load_model(folder))


def _images(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    detector = AnomalyDetector.load(folder)
    calibration = {name: {"images": len(c.scores), **_decision(c)} for name, c in detector.calibrators_.items()}
    parts = {"detector": values["detector"], "split": detector.split_, "calibration": calibration}
    return {**parts, **_model(detector.scorer_.model)}


def _nodes(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Its first network stands for all: they differ in nothing but where they started."""
    detector = NodeAnomalyDetector.load(folder)
    return {
        "detector": values["detector"],
        "supervised": detector.supervised_,
        "features": detector.features_,
        "relations": ", ".join(detector.relations_),
        "split": _sizes(detector.split_),
        "threshold": detector.threshold_,
        "calibration": {"nodes": len(detector.calibrator_.scores), **_decision(detector.calibrator_)},
        **_model(detector.members_[0]),
    }


def _graphs(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    classifier = GraphClassifier.load(folder)
    return {
        "classifier": values["classifier"],
        "classes": list(classifier.classes_),
        "split": _sizes(classifier.split_),
        **_model(classifier.members_[0]),
    }


def _odd_graphs(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    detector = GraphAnomalyDetector.load(folder)
    return {
        "detector": values["detector"],
        "split": _sizes(detector.split_),
        "calibration": {"graphs": len(detector.calibrator_.scores), **_decision(detector.calibrator_)},
        **_model(detector.members_[0]),
    }


def _painter(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    return {"inpainter": values["inpainter"], **_model(Inpainter.load(folder).ready())}


TASKS = {
    "AnomalyDetector": _images,
    "NodeAnomalyDetector": _nodes,
    "GraphClassifier": _graphs,
    "GraphAnomalyDetector": _odd_graphs,
    "Inpainter": _painter,
}


def _sizes(split: Split) -> dict[str, int]:
    return {name: len(numbers) for name, numbers in vars(split).items()}


def _decision(calibrator: ConformalCalibrator) -> dict[str, float]:
    return {"threshold": calibrator.threshold, "false_alarm_rate": calibrator.achievable_rate}


def _model(model: Model) -> dict[str, Any]:
    groups: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        group = name.split(".")[0]
        groups[group] = groups.get(group, 0) + parameter.numel()
    parts = {"heads": heads(model)} if isinstance(model, Selyne) else _energies(model)
    return {"model": model.config.to_dict(), "parameters": {"total": sum(groups.values()), **groups}, **parts}


@torch.no_grad()
def _energies(model: ImageET | NodeET | GraphET) -> dict[str, Any]:
    """Norm, heads and memory of every descent: what its energy is made of; one attention for each relation."""
    norms, rows, memories = [], [], []
    descents: Sequence[EnergyBlock | NodeET] = [model] if isinstance(model, NodeET) else model.descents
    for number, block in enumerate(descents):
        gamma, delta = block.norm.gamma, block.norm.delta
        norms.append({"block": number, "gamma": float(gamma), "|delta|": float(delta.norm())})
        terms = block.energy.terms
        for attention in (term for term in terms if isinstance(term, EnergyAttention)):
            rows += [{"block": number, **row} for row in _attention(attention, several=len(terms) > 2)]
        memories += [{"block": number, **_memory(term)} for term in terms if isinstance(term, HopfieldMemory)]
    return {"norms": norms, "heads": rows, "memories": memories}


def _attention(attention: EnergyAttention, several: bool) -> list[dict[str, Any]]:
    beta = torch.as_tensor(attention.beta).expand(attention.heads, 1, 1).flatten().tolist()
    sizes = attention.W.flatten(2).norm(dim=-1).T.tolist()  # (H, 2)
    which = {"relation": attention.relation} if several else {}
    return [
        {**which, "head": head, "beta": beta[head], "|W_Q|": query, "|W_K|": key}
        for head, (query, key) in enumerate(sizes)
    ]


def _memory(memory: HopfieldMemory) -> dict[str, Any]:
    lengths = memory.xi.norm(dim=1)
    return {
        "count": len(lengths),
        "activation": memory.activation,
        "mean |xi|": float(lengths.mean()),
        "largest |xi|": float(lengths.max()),
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
