"""The published PyTorch Energy Transformer for images: its layer norm, energy and descent on tokens; no encoder.

``clone`` is one of github.com/Lemon-cmd/energy-transformer-torch; the interpreter needs torch alone.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor


def published(clone: Path) -> Any:
    """Its one file of the model: the package around it wants torchvision."""
    einops = ModuleType("einops")
    einops.__dict__["rearrange"] = None  # for the patches, which are not run
    sys.modules.setdefault("einops", einops)
    spec = importlib.util.spec_from_file_location("published_core", clone / "image_et" / "core.py")
    assert spec and spec.loader
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    return core


def build(spec: dict[str, Any]) -> Any:
    """Its model at the sizes of the case; what stands around the block is there, but not run."""
    dim = spec["dim"]
    multiplier = (spec["memories"] + 0.5) / dim  # it rounds down, and the bare quotient may lie just below
    sizes = {"tkn_dim": dim, "qk_dim": spec["head_dim"], "nheads": spec["heads"], "hn_mult": multiplier}
    patches = torch.zeros(1, spec["tokens"] - 1, dim)  # a class token comes in front
    return published(Path(spec["clone"])).ET(patches, lambda x: x, time_steps=spec["steps"], **sizes)


def passes(spec: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """The descent of a batch of tokens alone, and a step of AdamW on the mean square of where they end."""
    torch.manual_seed(spec["seed"])
    device = torch.device(spec.get("device", "cpu"))
    model = build(spec).to(device)
    parameters = list(model.blocks.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    generator = np.random.default_rng(spec["seed"])
    size = (spec["tokens"], spec["dim"])
    tokens = {
        name: torch.from_numpy(generator.standard_normal((batch, *size), dtype=np.float32)).to(device)
        for name, batch in spec["batch"].items()
    }

    def descend(x: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=spec["precision"] == "bfloat16"):
            return model.evolve(x, spec["step_size"])[0]

    @torch.inference_mode()
    def forward() -> None:
        model.eval()
        descend(tokens["forward"])
        if device.type == "cuda":
            torch.cuda.synchronize()

    def train() -> float:
        model.train()
        loss = descend(tokens["train"]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    made: dict[str, Callable[[], Any]] = {"forward": forward, "train": train}
    return {name: made[name] for name in tokens}


def versions() -> dict[str, str]:
    """What runs it."""
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {"torch": torch.__version__, "threads": str(torch.get_num_threads()), **gpu}
