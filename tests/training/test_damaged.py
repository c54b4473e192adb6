"""Training on simulated damage: the loss is the equation, it teaches to find damage, and it resumes to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toys import SIZES, pictures

from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig
from attractor.models.features import patch_tokens
from attractor.scoring.methods import DamageMethod
from attractor.training import damaged
from attractor.training.damaged import DamageSpotting, damage_schedule, random_view, relit
from attractor.training.loop import Schedule, train

QUICK = Schedule(3, 8, lr=1e-2, weight_decay=1e-4, precision="fp32", checkpoint_seconds=0)


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged, "VIEWS", 24)


def spotting(images: list[Tensor] | None = None) -> DamageSpotting:
    torch.manual_seed(0)
    config = SelyneConfig(**SIZES)
    return DamageSpotting(Selyne(config), DamageMethod(config).head, list(pictures(5)) if images is None else images)


class Sure(nn.Module):
    """A head that says the same of every patch."""

    def __init__(self, logit: float):
        super().__init__()
        self.logit = logit

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.new_full(tokens.shape[:2], self.logit)


@pytest.mark.parametrize(("logit", "missed", "false"), [(0, 0.6931, 0.6931), (20, 0, 20), (-20, 20, 0)])
def test_the_loss_weighs_damaged_and_whole_patches_alike(logit: float, missed: float, false: float) -> None:
    objective = spotting()
    objective.head = Sure(logit)
    loss, terms = objective(torch.arange(24))
    assert [terms["missed"].item(), terms["false"].item()] == pytest.approx([missed, false], abs=1e-3)
    assert loss.item() == pytest.approx(missed + false, abs=1e-3)


def test_where_nothing_is_damaged_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lambda views: (views, torch.zeros(len(views), 16, 16, dtype=torch.bool))  # noqa: E731
    monkeypatch.setattr(damaged, "simulate_damage", whole)
    loss, terms = spotting()(torch.arange(4))
    assert terms["missed"] == 0 and torch.isfinite(loss)


def test_training_teaches_to_find_a_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged, "VIEWS", 640)
    smooth = [torch.full((3, 16, 24), 90 + 20 * i, dtype=torch.uint8) for i in range(4)]
    objective = spotting(smooth)
    history = train(objective, Schedule(3, 16, lr=3e-3, weight_decay=0.0, precision="fp32"))
    assert history[-1]["train_loss"] < 0.6 * history[0]["train_loss"]
    spotted = smooth[1][None, :, :, :16].clone()
    spotted[..., 8:14, :7] = 20
    with torch.no_grad():
        hidden = objective.model.encode(objective.model.normalize(spotted)).hidden
        logits = objective.head(patch_tokens(objective.model, hidden)).view(4, 4)
    assert logits.flatten().argmax() in (8, 9, 12, 13)


def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = spotting()
    train(whole, QUICK, tmp_path / "whole")
    broken, steps = spotting(), iter(range(5))
    monkeypatch.setattr(broken, "after_step", lambda: next(steps))  # the sixth step raises StopIteration
    with pytest.raises(StopIteration):
        train(broken, QUICK, tmp_path / "broken")
    resumed = spotting()
    train(resumed, QUICK, tmp_path / "broken", resume=True)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    with pytest.raises(InputError, match="images"):
        train(spotting(list(pictures(6))), QUICK, tmp_path / "broken", resume=True)


def test_random_views_are_windows_and_reach_every_corner() -> None:
    image = torch.arange(3 * 20 * 30).view(3, 20, 30)
    views = [random_view(image, (8, 10)) for _ in range(300)]
    assert all(view.shape == (3, 8, 10) for view in views)
    corners = {int(image[0, y, x]) for y in (0, -1) for x in (0, -1)}
    assert corners <= {int(n) for view in views for n in view[0].flatten()}
    steps = {(view[0, 1, 0] - view[0, 0, 0], view[0, 0, 1] - view[0, 0, 0]) for view in views}
    assert {(int(a), int(b)) for a, b in steps} == {(30, 1), (30, -1), (-30, 1), (-30, -1)}


def test_light_changes_and_structure_stays() -> None:
    views = torch.rand(50, 3, 8, 8) * 0.2 + 0.4
    changed = relit(views)
    brightness = changed.mean(dim=(1, 2, 3)) / views.mean(dim=(1, 2, 3))
    assert brightness.min() < 0.8 and brightness.max() > 1.25
    for before, after in zip(views.flatten(1), changed.flatten(1), strict=True):
        assert torch.corrcoef(torch.stack([before, after]))[0, 1] > 0.99


def test_images_smaller_than_a_view_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(B, 3, 16, 16\)"):
        spotting([torch.zeros(3, 16, 12, dtype=torch.uint8)])
    with pytest.raises(InputError, match="no images"):
        train(spotting([]), damage_schedule(1))
