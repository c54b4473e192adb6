"""Learning rates by hand, and which parameters decay."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from attractor.models import Selyne, SelyneConfig
from attractor.training.schedule import decay_groups, warmup_cosine


def rates(warmup: int, total: int, final_ratio: float, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = warmup_cosine(optimizer, warmup, total, final_ratio)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_warm_up_is_linear_then_half_a_cosine_to_the_final_rate() -> None:
    found = rates(warmup=4, total=12, final_ratio=0.1, steps=15)
    assert found[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    cosine = [2 * (0.1 + 0.9 * (1 + math.cos(math.pi * i / 8)) / 2) for i in range(9)]
    assert found[4:13] == pytest.approx(cosine)
    assert found[8] == pytest.approx(2 * 0.55) and found[12] == pytest.approx(0.2)  # half way, and the end
    assert found[13:] == pytest.approx([0.2, 0.2])


def test_without_warm_up_it_starts_at_the_peak_and_ends_at_zero() -> None:
    found = rates(warmup=0, total=5, final_ratio=0.0, steps=6)
    assert found[0] == 2.0 and found[5] == pytest.approx(0.0)
    assert found == sorted(found, reverse=True)


def test_a_warm_up_longer_than_the_run_stays_linear() -> None:
    assert rates(warmup=8, total=4, final_ratio=0.0, steps=4) == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_matrices_decay_and_nothing_else_does() -> None:
    model = Selyne(SelyneConfig(image_size=(16, 16), dim=12, heads=3, latent=6, depth=1, prototypes=2, classes=3))
    names = {id(p): name for name, p in model.named_parameters()}
    decayed, spared = decay_groups(model, 0.05)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.05, 0.0)
    decayed_names, spared_names = ({names[id(p)] for p in g["params"]} for g in (decayed, spared))
    assert decayed_names | spared_names == set(names.values()) and not decayed_names & spared_names
    assert {"blocks.0.attn.M", "blocks.0.attn.W_tied.weight", "classifier.weight"} <= decayed_names
    assert {
        "blocks.0.attn.norm_scale",
        "blocks.0.attn.log_temp",
        "blocks.0.norm1.weight",
        "proto_log_tau",
        "decoder.adaptive_weight",
    } <= spared_names
    assert not any(name.endswith("bias") for name in decayed_names)


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False))
    assert [len(g["params"]) for g in decay_groups(model, 0.1)] == [1, 1]
