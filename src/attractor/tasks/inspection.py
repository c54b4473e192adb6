"""What a saved model or detector is, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import torch

from attractor.data.graphs.splits import Split
from attractor.energy import EnergyAttention, GloebaAttention, HopfieldMemory
from attractor.models import GraphET, ImageET, NodeET, Selyne
from attractor.models.energy_block import EnergyBlock
from attractor.models.store import Model
from attractor.scoring.conformal import ConformalCalibrator
from attractor.tasks.detection.detector import AnomalyDetector
from attractor.tasks.detection.saved import saved_settings
from attractor.tasks.graphs import GraphAnomalyDetector, GraphClassifier
from attractor.tasks.inpainting.inpainter import Inpainter
from attractor.tasks.nodes.detector import NodeAnomalyDetector
from attractor.tasks.pretrained import from_pretrained
from attractor.tasks.saving import settings_of


def describe(folder: Path) -> dict[str, Any]:
    """Settings, sizes, calibration and heads of a detector's or a model's folder, or shipped or Hub name."""
    return facts(from_pretrained(folder))


@singledispatch
def facts(thing: Model) -> dict[str, Any]:
    """What :func:`describe` says of a detector, classifier or in-painter; here of what is a model alone."""
    groups: dict[str, int] = {}
    for name, parameter in thing.named_parameters():
        group = name.split(".")[0]
        groups[group] = groups.get(group, 0) + parameter.numel()
    parts = {"heads": heads(thing)} if isinstance(thing, Selyne) else _energies(thing)
    return {"model": thing.config.to_dict(), "parameters": {"total": sum(groups.values()), **groups}, **parts}


@facts.register
def _images(detector: AnomalyDetector) -> dict[str, Any]:
    calibration = {name: {"images": len(c.scores), **_decision(c)} for name, c in detector.calibrators_.items()}
    parts = {"detector": saved_settings(detector), "split": detector.split_, "calibration": calibration}
    return {**parts, **facts(detector.scorer_.model)}


@facts.register
def _nodes(detector: NodeAnomalyDetector) -> dict[str, Any]:
    """Its first network stands for all: they differ in nothing but where they started."""
    return {
        "detector": settings_of(detector),
        "supervised": detector.supervised_,
        "features": detector.features_,
        "relations": ", ".join(detector.relations_),
        "split": _sizes(detector.split_),
        "threshold": detector.threshold_,
        "calibration": {"nodes": len(detector.calibrator_.scores), **_decision(detector.calibrator_)},
        **facts(detector.members_[0]),
    }


@facts.register
def _graphs(classifier: GraphClassifier) -> dict[str, Any]:
    return {
        "classifier": settings_of(classifier),
        "classes": classifier.classes_.tolist(),
        "split": _sizes(classifier.split_),
        **facts(classifier.members_[0]),
    }


@facts.register
def _odd_graphs(detector: GraphAnomalyDetector) -> dict[str, Any]:
    return {
        "detector": settings_of(detector),
        "split": _sizes(detector.split_),
        "calibration": {"graphs": len(detector.calibrator_.scores), **_decision(detector.calibrator_)},
        **facts(detector.members_[0]),
    }


@facts.register
def _painter(inpainter: Inpainter) -> dict[str, Any]:
    return {"inpainter": settings_of(inpainter), **facts(inpainter.ready())}


def _sizes(split: Split) -> dict[str, int]:
    return {name: len(numbers) for name, numbers in vars(split).items()}


def _decision(calibrator: ConformalCalibrator) -> dict[str, float]:
    return {"threshold": calibrator.threshold, "false_alarm_rate": calibrator.achievable_rate}


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
