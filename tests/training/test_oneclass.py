"""One-class training: the golden consistency, a teacher that only follows, and a loss that falls."""

from __future__ import annotations

import math

import pytest
import torch
from toys import SIZES, one_class, pictures

from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig
from attractor.training.loop import Trainer, train
from attractor.training.oneclass import OneClass, latent_consistency, published_schedule
from attractor.training.schedule import Schedule
from parity import PRECISIONS, assert_golden


@pytest.mark.parametrize("precision", PRECISIONS)
def test_golden_consistency(golden, precision: str) -> None:
    arrays, dtype = golden(f"e_selyne_tiny_{precision}"), PRECISIONS[precision]
    student, teacher = (torch.from_numpy(arrays[f"lc_z_{who}"]).to(dtype) for who in "st")
    invariance, variance = latent_consistency(student, teacher)
    assert_golden(invariance, arrays["lc_invariance"], "invariance")
    assert_golden(variance, arrays["lc_variance"], "variance")


def test_consistency_is_zero_for_agreeing_wide_latents_and_grows_as_they_collapse() -> None:
    z = 3 * torch.randn(50, 6)
    assert latent_consistency(z, 2 * z) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert latent_consistency(z, -z)[0] == pytest.approx(4.0)
    assert latent_consistency(torch.ones(5, 6), torch.ones(5, 6))[1] == pytest.approx(0.5 - 0.01)


def test_consistency_of_equal_latents_has_a_finite_gradient() -> None:
    z = torch.ones(4, 6, requires_grad=True)
    sum(latent_consistency(z, z.detach())).backward()
    assert torch.isfinite(z.grad).all()


def test_loss_is_the_published_sum() -> None:
    objective = one_class().train()
    loss, terms = objective(torch.arange(8))
    consistency = terms["invariance"] + terms["variance"]
    torch.testing.assert_close(loss, math.log(5) * terms["reconstruction"] + math.pi / 10 * consistency)


def test_training_lowers_the_loss() -> None:
    schedule = Schedule(epochs=12, batch_size=10, lr=1e-2, weight_decay=1e-4, precision="fp32")
    losses = [row["train_loss"] for row in train(one_class(), schedule)]
    assert losses[-1] < 0.6 * losses[0]


def test_the_teacher_follows_by_exactly_one_hundredth_a_step() -> None:
    objective = one_class()
    trainer = Trainer(objective, Schedule(2, 4, 1e-2, 0.0, precision="fp32"), None)
    followed = {name: p.clone() for name, p in objective.model.named_parameters()}
    for batch in torch.arange(20).split(4):
        trainer.train_step(batch)
        for name, p in objective.model.named_parameters():
            followed[name] = followed[name].lerp(p.detach(), 1 - 0.99)
    for name, p in objective.teacher.named_parameters():
        assert torch.equal(p, followed[name]), name
    pairs = zip(objective.teacher.parameters(), objective.model.parameters(), strict=True)
    assert any(not torch.equal(slow, fast) for slow, fast in pairs)


def test_the_teacher_has_no_gradient_and_no_place_in_the_optimizer() -> None:
    objective = one_class()
    trainer = Trainer(objective, Schedule(1, 4, 1e-2, 0.0, precision="fp32"), None)
    loss, _ = objective.train()(torch.arange(4))
    loss.backward()
    assert all(p.grad is None and not p.requires_grad for p in objective.teacher.parameters())
    assert any(p.grad is not None for p in objective.model.parameters())
    optimized = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    assert optimized == {id(p) for p in objective.model.parameters()}


def test_the_teacher_always_evaluates() -> None:
    objective = OneClass(Selyne(SelyneConfig(**SIZES, dropout=0.5)), pictures(4)).train()
    assert objective.model.training and not any(m.training for m in objective.teacher.modules())


def test_the_published_schedule_ends_at_its_final_rate() -> None:
    schedule = published_schedule(epochs=2)
    trainer = Trainer(one_class(64), schedule, None)
    rates = [trainer.rate.get_last_lr()[0]]
    for _ in range(4):
        trainer.optimizer.step()
        trainer.rate.step()
        rates.append(trainer.rate.get_last_lr()[0])
    assert rates[0] == pytest.approx(6e-4) and rates[-1] == pytest.approx(3e-7)
    assert (schedule.batch_size, schedule.weight_decay, schedule.clip) == (32, 1e-4, 5.0)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(B, 3, 16, 16\)"):
        OneClass(Selyne(SelyneConfig(**SIZES)), torch.zeros(4, 3, 32, 32, dtype=torch.uint8))


def test_grey_images_train() -> None:
    model = Selyne(SelyneConfig(**SIZES, channels=1))
    history = train(OneClass(model, pictures(6, channels=1)), Schedule(1, 3, 1e-3, 0.0, precision="fp32"))
    assert math.isfinite(history[0]["train_loss"])
