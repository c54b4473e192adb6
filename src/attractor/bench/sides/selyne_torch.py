"""The published SELYNE: encoder, decoder and pretraining step, of the size and with the losses its script sets.

``clone`` is one of github.com/cagasolu/energy-transformer; the interpreter needs torch.
A pass of ``train`` is a turn of the script's loop as far as the optimizer's step, without its progress bar and without
mix-up, which falls on half the turns by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from selyne_script import Names, assignments, definitions, turn

SCRIPT = "pretrain_selyne_recon.py"


def published(spec: dict[str, Any]) -> tuple[Names, list[Any]]:
    """The names of the script once it has made model and optimizer, and its program."""
    torch.manual_seed(spec["seed"])
    names, program = definitions(Path(spec["clone"]) / SCRIPT)
    names |= {"DEVICE": torch.device(spec.get("device", "cpu")), "MIXITUP_P": 0.0}
    exec(assignments(program, "LR", "LABEL_SMOOTH", "model", "opt"), names)
    return names, program


def batch(spec: dict[str, Any], classes: int) -> Names:
    """Images and labels, as its loader gives them."""
    generator = np.random.default_rng(spec["seed"])
    images = generator.standard_normal((spec["batch"], 3, spec["image"], spec["image"]), dtype=np.float32)
    return {"x": torch.from_numpy(images), "y": torch.from_numpy(generator.integers(classes, size=spec["batch"]))}


def precision(spec: dict[str, Any], device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 where the case asks for it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=spec["precision"] == "bfloat16")


def passes(spec: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """``encode`` and ``reconstruct`` a batch, and ``train`` on it."""
    names, program = published(spec)
    model, device = names["model"], names["DEVICE"]
    names |= {name: array.to(device) for name, array in batch(spec, model.classifier.out_features).items()}
    loss, update = turn(program)

    @torch.no_grad()
    def encode() -> float:
        model.eval()
        with precision(spec, device):
            return model.encode(names["x"])[0].sum().item()

    @torch.no_grad()
    def reconstruct() -> float:
        model.eval()
        with precision(spec, device):
            return model(names["x"])[0].sum().item()

    def train() -> float:
        model.train()
        with precision(spec, device):
            exec(loss, names)
        exec(update, names)
        return names["loss"].item()

    made: dict[str, Callable[[], Any]] = {"encode": encode, "reconstruct": reconstruct}
    if device.type != "cpu" or spec["precision"] == "float32":  # its resize has no gradient in bfloat16 there
        made["train"] = train
    return made


def versions() -> dict[str, str]:
    """What runs it."""
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {"torch": torch.__version__, "threads": str(torch.get_num_threads()), **gpu}
