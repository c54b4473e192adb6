"""The loop: epochs and their rows, patience, failures, precision, batches."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toys import Line, line_schedule, one_class

from attractor.errors import InputError
from attractor.training.loop import Trainer, epoch_batches, train

# epochs --------------------------------------------------------------------------------------------------------------


def test_history_has_one_row_an_epoch_with_means_over_its_batches() -> None:
    history = train(Line(examples=7), line_schedule(batch_size=4))
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {"lr", "seconds", "train_loss", "train_count"} < history[0].keys()
    assert [row["train_count"] for row in history] == [3.5, 3.5, 3.5]
    losses = [row["train_loss"] for row in history]
    assert losses == sorted(losses, reverse=True)


def test_patience_stops_and_best_and_final_are_kept(tmp_path: Path) -> None:
    objective = Line(scores=[0.1, 0.5, 0.4, 0.5, 0.9, 0.9])
    history = train(objective, line_schedule(epochs=6, patience=2), tmp_path)
    assert [row["val_score"] for row in history] == [0.1, 0.5, 0.4, 0.5]
    assert [name for name, _ in objective.kept] == ["best", "best", "final"]
    first, second, last = (weight for _, weight in objective.kept)
    assert first < second < last == objective.weight.item()


def test_patience_survives_a_resume(tmp_path: Path) -> None:
    settings = line_schedule(epochs=6, patience=2)
    trainer = Trainer(Line(scores=[0.5, 0.4]), settings, tmp_path)
    trainer.train_epoch()
    trainer.train_epoch()
    history = train(Line(scores=[0.3, 0.9]), settings, tmp_path, resume=True)
    assert [row["val_score"] for row in history] == [0.5, 0.4, 0.3]


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    objective = Line(scores=[0.1, 0.2, 0.3])
    train(objective, line_schedule())
    assert objective.kept == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_reported_and_keeps_the_last_checkpoint(tmp_path: Path, loss: float) -> None:
    train(Line(), line_schedule(epochs=1), tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(FloatingPointError, match=r"epoch 1, step 1; lower lr") as caught:
        train(Line(loss=loss), line_schedule(), tmp_path)
    assert not isinstance(caught.value, InputError)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_no_examples_are_refused() -> None:
    with pytest.raises(InputError, match=r"^nothing to train on; [^\n]*$"):
        train(Line(examples=0), line_schedule())


def test_precision_may_differ_between_runs_of_one_process() -> None:
    seen = []

    class Product(Line):
        def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            seen.append((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
            return super().forward(indices)

        def validate(self) -> dict[str, float]:
            seen.append((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
            return {}

    for precision in ("fp32", "bf16", "fp32"):
        train(Product(examples=1), line_schedule(epochs=1, precision=precision))
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2 + [torch.float32] * 2


def test_the_gradient_is_clipped() -> None:
    objective = Line(loss=1e6)
    trainer = Trainer(objective, line_schedule(clip=0.5), None)
    norms = []
    step = trainer.optimizer.step
    trainer.optimizer.step = lambda: (norms.append(float(objective.weight.grad.abs())), step())
    trainer.run()
    assert norms == pytest.approx([0.5] * 6, rel=1e-4)


# batches -------------------------------------------------------------------------------------------------------------


def test_an_epoch_is_a_permutation_that_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat(epoch_batches(10, line_schedule(seed=seed, batch_size=4), epoch, 0, 1)).tolist()

    assert sorted(order(0, 0)) == list(range(10))
    torch.rand(5)
    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1, 2)}) == 6


def test_ranks_share_every_batch() -> None:
    whole = epoch_batches(10, line_schedule(batch_size=4), 0, 0, 1)
    parts = [epoch_batches(10, line_schedule(batch_size=4), 0, rank, 2) for rank in (0, 1)]
    for batch, one, two in zip(whole, *parts, strict=True):
        assert sorted(torch.cat([one, two]).tolist()) == sorted(batch.tolist())


def test_a_last_batch_of_one_image_is_left_out_unless_it_is_all() -> None:
    assert [len(b) for b in epoch_batches(9, line_schedule(batch_size=4), 0, 0, 1)] == [4, 4]
    assert [len(b) for b in epoch_batches(1, line_schedule(batch_size=4), 0, 0, 1)] == [1]


def test_one_image_is_enough_to_train_on() -> None:
    history = train(one_class(1), line_schedule(epochs=1))
    assert math.isfinite(history[0]["train_loss"])
