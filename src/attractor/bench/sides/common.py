"""What our own sides share: where they run, in which precision, and what a training step is."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

Pass = Callable[[], Any]
Spec = dict[str, Any]


def versions() -> dict[str, str]:
    """What runs."""
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {"python": platform.python_version(), "torch": torch.__version__, **gpu}


def prepare(spec: Spec) -> torch.device:
    """Seed, threads and device, before anything is made."""
    torch.manual_seed(spec["seed"])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    return torch.device(spec.get("device", "cpu"))


def precision(spec: Spec, device: torch.device) -> torch.autocast:
    """bf16 autocast where the case asks for it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=spec["precision"] == "bfloat16")


def finish(device: torch.device) -> None:
    """Wait until what was started is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def device_mb(reset: bool) -> float | None:
    """Memory of the GPU in MB: held now, from when on the peak is taken, or at that peak; None without one."""
    if not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    if reset:
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    return torch.cuda.max_memory_allocated() / 2**20


def forward(run: Callable[[], Any], spec: Spec, device: torch.device) -> Pass:
    """A pass without gradients."""

    def once() -> None:
        with torch.no_grad(), precision(spec, device):
            run()
        finish(device)

    return once


def train(parameters: list[nn.Parameter], loss: Callable[[], Tensor], spec: Spec, device: torch.device) -> Pass:
    """A training step: loss, gradient and AdamW."""
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=True)

    def once() -> None:
        optimizer.zero_grad()
        with precision(spec, device):
            value = loss()
        value.backward()
        optimizer.step()
        finish(device)

    return once


def counted(passes: Callable[[Spec], dict[str, Pass]], spec: Spec) -> dict[str, float]:
    """Operations in the matrix products of every pass, counted while it runs once; those made anew count once."""
    found = {}
    for name, run in passes({**spec, "precision": "float32"}).items():
        with FlopCounterMode(display=False) as counter:
            run()
        found[name] = float(counter.get_total_flops())
    return found
