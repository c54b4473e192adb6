"""Training on simulated damage: the loss is the equation, it teaches to find damage, and it resumes to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toys import pictures

from attractor.errors import InputError
from attractor.models.damage_net import DamageNet
from attractor.training import damaged
from attractor.training.damaged import DamageSpotting, damage_schedule, random_view, relit
from attractor.training.loop import train
from attractor.training.schedule import Schedule

QUICK = Schedule(3, 8, lr=1e-2, weight_decay=1e-4, precision="fp32", checkpoint_seconds=0)


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged, "VIEWS", 24)


def spotting(images: list[Tensor] | None = None) -> DamageSpotting:
    torch.manual_seed(0)
    return DamageSpotting(DamageNet(3), list(pictures(5)) if images is None else images, (16, 16))


class Says(nn.Module):
    """A net that says the same of all images, or of each what it is told."""

    def __init__(self, logits: Tensor):
        super().__init__()
        self.logits = logits

    def forward(self, images: Tensor) -> Tensor:
        return self.logits.expand(len(images), 4, 4)


@pytest.mark.parametrize(("logit", "missed", "false"), [(20, 0, 20), (-20, 20, 0)])
def test_the_loss_weighs_damaged_and_whole_alike(logit: float, missed: float, false: float) -> None:
    objective = spotting()
    objective.net = Says(torch.tensor(float(logit)))
    loss, terms = objective(torch.arange(24))
    found = [terms[name].item() for name in ("missed", "false")]
    assert found == pytest.approx([missed, false], abs=1e-3)
    assert loss.item() == pytest.approx(sum(term.item() for term in terms.values()))


def test_a_place_is_damaged_where_a_pixel_is_and_a_view_where_a_place_is(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[1, 5, 10] = True  # second row, third column
    monkeypatch.setattr(damaged, "simulate_damage", lambda views: (views, masks))
    logits = torch.full((2, 4, 4), -20.0)
    logits[1, 1, 2] = 20.0
    objective = spotting()
    objective.net = Says(logits)
    monkeypatch.setattr(damaged, "judged", lambda logits: logits.amax(dim=(1, 2)))
    loss, terms = objective(torch.arange(2))
    assert set(terms) == {"missed", "false", "view_missed", "view_false"} and loss < 1e-6
    logits[1, 1, 2], logits[0, 0, 0] = -20.0, 20.0
    _, terms = objective(torch.arange(2))
    assert [round(term.item(), 2) for term in terms.values()] == [20, round(20 / 31, 2), 20, 20]


def test_where_nothing_is_damaged_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lambda views: (views, torch.zeros(len(views), 16, 16, dtype=torch.bool))  # noqa: E731
    monkeypatch.setattr(damaged, "simulate_damage", whole)
    loss, terms = spotting()(torch.arange(4))
    assert terms["missed"] == terms["view_missed"] == 0 and torch.isfinite(loss)


def test_training_teaches_to_find_a_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged, "VIEWS", 640)
    smooth = [torch.full((3, 32, 40), 90 + 20 * i, dtype=torch.uint8) for i in range(4)]
    torch.manual_seed(0)
    objective = DamageSpotting(DamageNet(3), smooth, (32, 32))
    history = train(objective, Schedule(3, 16, lr=3e-3, weight_decay=0.0, precision="fp32"))
    assert history[-1]["train_loss"] < 0.6 * history[0]["train_loss"]
    spotted = smooth[1][None, :, :, :32].clone() / 255
    spotted[..., 17:23, 5:11] = 0.1
    with torch.no_grad():
        logits = objective.net.eval()(spotted)[0]
    row, column = divmod(int(logits.argmax()), 8)
    assert 4 <= row <= 5 and 1 <= column <= 2


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
    with pytest.raises(InputError, match="at least 16 x 16 pixels, not \\(16, 12\\)"):
        spotting([torch.zeros(3, 16, 12, dtype=torch.uint8)])
    with pytest.raises(InputError, match="nothing to train on"):
        train(spotting([]), damage_schedule(1))
