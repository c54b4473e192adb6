"""The loop: batches, patience, failures, and above all that a killed run resumes to the same bits."""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toys import make, one_class, pretraining, recipe, run

from attractor.errors import InputError
from attractor.training.checkpoint import load_checkpoint
from attractor.training.loop import Objective, Schedule, Trainer, epoch_batches, train

KINDS = ["pretraining", "one-class"]
# A server that has imported everything once and then forks: each run is a process of its own and starts at once.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["attractor.training.pretrain", "attractor.training.oneclass", "torch._dynamo"])


class Line(Objective):
    """Fit one number to 1; ``scores`` are handed out as validation figures, one an epoch."""

    def __init__(self, scores: list[float] | None = None, loss: float = 1.0, examples: int = 4):
        super().__init__()
        self.weight, self.factor, self.examples = nn.Parameter(torch.zeros(())), loss, examples
        self.scores, self.kept = list(scores or []), []
        self.score = "val_score" if scores else None

    def forward(self, indices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.factor * (self.weight - 1).square()
        return loss, {"count": torch.tensor(float(len(indices)))}

    def validate(self) -> dict[str, float]:
        return {"val_score": self.scores.pop(0)} if self.score else {}

    def keep(self, name: str, folder: Path) -> None:
        self.kept.append((name, self.weight.item()))


def schedule(**changes: object) -> Schedule:
    values = {"epochs": 3, "batch_size": 2, "lr": 0.1, "weight_decay": 0.0, "precision": "fp32"}
    return Schedule(**{**values, **changes})


# killed and resumed --------------------------------------------------------------------------------------------------


def work(kind: str, folder: Path, resume: bool, killed_at_write: int | None, after_rename: bool) -> None:
    """Train in a process of its own, which kills itself at that write of a file."""
    rename, writes = Path.replace, 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal writes
        writes += 1
        if writes == killed_at_write and not after_rename:
            os.kill(os.getpid(), signal.SIGKILL)
        result = rename(self, target)
        if writes == killed_at_write:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    with mock.patch.object(Path, "replace", replace):
        run(kind, folder, resume)


def start(kind: str, folder: Path, killed_at_write: int | None = None, after_rename: bool = False) -> BaseProcess:
    """Begin the run, or resume it where it has a checkpoint."""
    resume = (folder / "checkpoint.pt").exists()
    process = PROCESSES.Process(target=work, args=(kind, folder, resume, killed_at_write, after_rename))
    process.start()
    return process


@pytest.fixture(scope="module", params=KINDS)
def uninterrupted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, float]:
    """Kind, folder and seconds of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    server = PROCESSES.Process(target=os.getpid)  # whose imports are not to be measured
    server.start()
    server.join()
    started = time.monotonic()
    process = start(request.param, folder)
    process.join()
    assert process.exitcode == 0
    return request.param, folder, time.monotonic() - started


def bits(state: object) -> object:
    """Nested containers with their tensors as bytes, for comparison by ``==``."""
    if isinstance(state, dict):
        return {name: bits(value) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [bits(value) for value in state]
    return state.numpy().tobytes() if isinstance(state, Tensor) else state


def assert_same_end(folder: Path, expected: Path) -> None:
    """The last checkpoints agree to the bit in everything but the seconds; nothing unfinished lies about."""
    ends = [load_checkpoint(f / "checkpoint.pt") for f in (folder, expected)]
    for state in ends:
        for row in state["progress"]["history"]:
            assert row.pop("seconds") > 0
    for part in ("objective", "optimizer", "rate", "rng", "progress", "schedule"):
        assert bits(ends[0][part]) == bits(ends[1][part]), part
    names = [sorted(str(p.relative_to(f)) for p in f.rglob("*")) for f in (folder, expected)]
    assert names[0] == names[1]
    for weights in expected.rglob("*.safetensors"):
        assert (folder / weights.relative_to(expected)).read_bytes() == weights.read_bytes()


@pytest.mark.parametrize("after_rename", [False, True])
def test_killed_at_writes_of_a_checkpoint(uninterrupted, tmp_path: Path, after_rename: bool) -> None:
    kind, expected, _ = uninterrupted
    for write in (1, 2, 3, 5, None):  # each process goes on where the one before was killed
        process = start(kind, tmp_path, write, after_rename)
        process.join()
        assert process.exitcode == (0 if write is None else -signal.SIGKILL)
    assert_same_end(tmp_path, expected)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(uninterrupted, tmp_path: Path, seed: int) -> None:
    kind, expected, seconds = uninterrupted
    moments = random.Random(seed)
    for _ in range(3):
        process = start(kind, tmp_path)
        process.join(moments.uniform(0.1, 0.6) * seconds)
        process.kill()
        process.join()
    process = start(kind, tmp_path)
    process.join()
    assert process.exitcode == 0
    assert_same_end(tmp_path, expected)


def test_training_moves_and_a_different_seed_goes_elsewhere(uninterrupted) -> None:
    """Without this the comparisons above could pass on a run that does nothing."""
    kind, expected, _ = uninterrupted
    end = load_checkpoint(expected / "checkpoint.pt")["objective"]
    begin = make(kind)[0].state_dict()
    moved = [name for name in end if not torch.equal(end[name], begin[name])]
    assert len(moved) > 20
    objective, settings = make(kind)
    train(objective, Schedule(**{**settings.__dict__, "seed": 1}))
    other = objective.state_dict()
    assert all(not torch.equal(end[name], other[name]) for name in moved)


def test_a_finished_run_resumes_to_itself(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    first, history = run("one-class", tmp_path, resume=False, threads=threads)
    second, again = run("one-class", tmp_path, resume=True, threads=threads)
    assert history == again and len(history) == 3
    torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)


def test_the_folder_may_be_a_string_that_begins_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    history = train(Line(), schedule(), "~/run")
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["progress"]["history"] == history
    assert train(Line(), schedule(), "~/run", resume=True) == history


# what a resume refuses -----------------------------------------------------------------------------------------------


def refused(call: Callable[[], object], *names: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and all(name in message for name in names), message


@pytest.mark.parametrize("changes", [{"lr": 0.2}, {"seed": 1}, {"batch_size": 4}, {"epochs": 4}, {"patience": 1}])
def test_another_schedule_is_refused(tmp_path: Path, changes: dict) -> None:
    train(Line(), schedule(), tmp_path)
    refused(lambda: train(Line(), schedule(**changes), tmp_path, resume=True), "checkpoint.pt", *changes)


def test_numbers_of_numpy_are_plain_in_a_checkpoint(tmp_path: Path) -> None:
    settings = schedule(epochs=np.int64(2), lr=np.float32(0.25), seed=np.uint32(3), patience=np.int16(1))
    history = train(Line(), settings, tmp_path)
    assert train(Line(), schedule(epochs=2, lr=0.25, seed=3, patience=1), tmp_path, resume=True) == history


def test_how_often_to_checkpoint_may_change(tmp_path: Path) -> None:
    train(Line(), schedule(), tmp_path)
    assert len(train(Line(), schedule(checkpoint_seconds=1.0), tmp_path, resume=True)) == 3


def test_other_images_are_refused(tmp_path: Path) -> None:
    train(Line(), schedule(), tmp_path)
    refused(lambda: train(Line(examples=5), schedule(), tmp_path, resume=True), "checkpoint.pt", "examples")


@pytest.mark.parametrize(
    "changes",
    [{"keep_patches": 1.0}, {"augmentation": {"padding": 4, "mixup": 0.0}}, {"weights": {"prototypes": 2.0}}],
)
def test_another_recipe_is_refused_but_not_another_name_or_place(tmp_path: Path, changes: dict) -> None:
    train(pretraining(recipe(epochs=2)), recipe(epochs=2).schedule(), tmp_path)
    other = recipe(epochs=2, **changes)
    refused(lambda: train(pretraining(other), other.schedule(), tmp_path, resume=True), *changes)
    moved = recipe(epochs=2, name="moved", data="elsewhere")
    assert len(train(pretraining(moved), moved.schedule(), tmp_path, resume=True)) == 2


def test_another_model_is_refused(tmp_path: Path) -> None:
    train(Line(), schedule(), tmp_path)
    other = Line()
    other.extra = nn.Linear(2, 2)
    refused(lambda: train(other, schedule(), tmp_path, resume=True), "checkpoint.pt", "another model")


def test_a_checkpoint_without_its_parts_is_refused(tmp_path: Path) -> None:
    torch.save({"version": 1}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match=r"lacks objective.*start again"):
        run("one-class", tmp_path, resume=True)


def test_checkpoints_from_before_the_settings_were_kept_still_resume(tmp_path: Path) -> None:
    train(Line(), schedule(), tmp_path)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    del state["schedule"]["examples"]
    torch.save(state, tmp_path / "checkpoint.pt")
    assert len(train(Line(), schedule(), tmp_path, resume=True)) == 3


def test_resume_without_a_checkpoint_or_a_folder_is_refused(tmp_path: Path) -> None:
    refused(lambda: train(Line(), schedule(), tmp_path, resume=True), str(tmp_path / "checkpoint.pt"))
    refused(lambda: train(Line(), schedule(), resume=True), "folder")


# the epochs ----------------------------------------------------------------------------------------------------------


def test_history_has_one_row_an_epoch_with_means_over_its_batches() -> None:
    history = train(Line(examples=7), schedule(batch_size=4))
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {"lr", "seconds", "train_loss", "train_count"} < history[0].keys()
    assert [row["train_count"] for row in history] == [3.5, 3.5, 3.5]
    losses = [row["train_loss"] for row in history]
    assert losses == sorted(losses, reverse=True)


def test_patience_stops_and_best_and_final_are_kept(tmp_path: Path) -> None:
    objective = Line(scores=[0.1, 0.5, 0.4, 0.5, 0.9, 0.9])
    history = train(objective, schedule(epochs=6, patience=2), tmp_path)
    assert [row["val_score"] for row in history] == [0.1, 0.5, 0.4, 0.5]
    assert [name for name, _ in objective.kept] == ["best", "best", "final"]
    first, second, last = (weight for _, weight in objective.kept)
    assert first < second < last == objective.weight.item()


def test_patience_survives_a_resume(tmp_path: Path) -> None:
    settings = schedule(epochs=6, patience=2)
    trainer = Trainer(Line(scores=[0.5, 0.4]), settings, tmp_path)
    trainer.train_epoch()
    trainer.train_epoch()
    history = train(Line(scores=[0.3, 0.9]), settings, tmp_path, resume=True)
    assert [row["val_score"] for row in history] == [0.5, 0.4, 0.3]


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    objective = Line(scores=[0.1, 0.2, 0.3])
    train(objective, schedule())
    assert objective.kept == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_reported_and_keeps_the_last_checkpoint(tmp_path: Path, loss: float) -> None:
    train(Line(), schedule(epochs=1), tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(FloatingPointError, match=r"epoch 1, step 1; lower lr") as caught:
        train(Line(loss=loss), schedule(), tmp_path)
    assert not isinstance(caught.value, InputError)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_no_examples_are_refused() -> None:
    refused(lambda: train(Line(examples=0), schedule()), "nothing to train on")


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
        train(Product(examples=1), schedule(epochs=1, precision=precision))
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2 + [torch.float32] * 2


def test_the_gradient_is_clipped() -> None:
    objective = Line(loss=1e6)
    trainer = Trainer(objective, schedule(clip=0.5), None)
    norms = []
    step = trainer.optimizer.step
    trainer.optimizer.step = lambda: (norms.append(float(objective.weight.grad.abs())), step())
    trainer.run()
    assert norms == pytest.approx([0.5] * 6, rel=1e-4)


# the batches ---------------------------------------------------------------------------------------------------------


def test_an_epoch_is_a_permutation_that_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat(epoch_batches(10, schedule(seed=seed, batch_size=4), epoch, 0, 1)).tolist()

    assert sorted(order(0, 0)) == list(range(10))
    torch.rand(5)
    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1, 2)}) == 6


def test_ranks_share_every_batch() -> None:
    whole = epoch_batches(10, schedule(batch_size=4), 0, 0, 1)
    parts = [epoch_batches(10, schedule(batch_size=4), 0, rank, 2) for rank in (0, 1)]
    for batch, one, two in zip(whole, *parts, strict=True):
        assert sorted(torch.cat([one, two]).tolist()) == sorted(batch.tolist())


def test_a_last_batch_of_one_image_is_left_out_unless_it_is_all() -> None:
    assert [len(b) for b in epoch_batches(9, schedule(batch_size=4), 0, 0, 1)] == [4, 4]
    assert [len(b) for b in epoch_batches(1, schedule(batch_size=4), 0, 0, 1)] == [1]


def test_one_image_is_enough_to_train_on() -> None:
    history = train(one_class(1), schedule(epochs=1))
    assert math.isfinite(history[0]["train_loss"])
