"""How long and how fast training goes: its settings, the learning rate, and which parameters decay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: AdamW, linear warm-up, cosine to ``final_lr``, gradient clipping, patience in epochs.

    ``precision`` is ``"bf16"`` (autocast), ``"fp32"``, or ``"auto"``: bf16 where the machine computes in it.
    """

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    warmup_epochs: float = 0.0
    final_lr: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 5.0
    patience: int | None = None
    precision: str = "auto"
    seed: int = 0
    checkpoint_seconds: float = 60.0
    validate_every: int = 1  # epochs

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, Real):  # of NumPy, say, which a checkpoint would not take
                object.__setattr__(self, name, int(value) if isinstance(value, Integral) else float(value))


def warmup_cosine(optimizer: Optimizer, warmup: int, total: int, final_ratio: float) -> LambdaLR:
    """Linear from 0 over ``warmup`` steps, then half a cosine to ``final_ratio`` of the peak at step ``total``."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / max(1, total - warmup))
        return final_ratio + (1 - final_ratio) * 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimizer, factor)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Parameter groups: weight decay on what has two axes or more, none on biases, norms and scales.

    The former are matrices, tokens with an axis for the batch, and a learnt ``beta (H, 1, 1)`` of
    :class:`~attractor.energy.EnergyAttention`.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
