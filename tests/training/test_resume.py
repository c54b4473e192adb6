"""A run that was killed, at whatever moment, resumes to the same bits; one that does not fit is refused."""

from __future__ import annotations

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
from toys import Line, line_schedule, make, pretraining, recipe, run

from attractor.errors import InputError
from attractor.training.checkpoint import load_checkpoint
from attractor.training.loop import train
from attractor.training.schedule import Schedule
from refusals import refusal

KINDS = ["pretraining", "one-class"]
# A server that has imported everything once and then forks: each run is a process of its own and starts at once.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["attractor.training.pretrain", "attractor.training.oneclass", "torch._dynamo"])


# killed --------------------------------------------------------------------------------------------------------------


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
    history = train(Line(), line_schedule(), "~/run")
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["progress"]["history"] == history
    assert train(Line(), line_schedule(), "~/run", resume=True) == history


# refused -------------------------------------------------------------------------------------------------------------


def refused(call: Callable[[], object], *names: str) -> None:
    with refusal(*names):
        call()


@pytest.mark.parametrize("changes", [{"lr": 0.2}, {"seed": 1}, {"batch_size": 4}, {"epochs": 4}, {"patience": 1}])
def test_another_schedule_is_refused(tmp_path: Path, changes: dict) -> None:
    train(Line(), line_schedule(), tmp_path)
    refused(lambda: train(Line(), line_schedule(**changes), tmp_path, resume=True), "checkpoint.pt", *changes)


def test_numbers_of_numpy_are_plain_in_a_checkpoint(tmp_path: Path) -> None:
    settings = line_schedule(epochs=np.int64(2), lr=np.float32(0.25), seed=np.uint32(3), patience=np.int16(1))
    history = train(Line(), settings, tmp_path)
    assert train(Line(), line_schedule(epochs=2, lr=0.25, seed=3, patience=1), tmp_path, resume=True) == history


def test_how_often_to_checkpoint_may_change(tmp_path: Path) -> None:
    train(Line(), line_schedule(), tmp_path)
    assert len(train(Line(), line_schedule(checkpoint_seconds=1.0), tmp_path, resume=True)) == 3


def test_other_images_are_refused(tmp_path: Path) -> None:
    train(Line(), line_schedule(), tmp_path)
    refused(lambda: train(Line(examples=5), line_schedule(), tmp_path, resume=True), "checkpoint.pt", "examples")


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
    train(Line(), line_schedule(), tmp_path)
    other = Line()
    other.extra = nn.Linear(2, 2)
    refused(lambda: train(other, line_schedule(), tmp_path, resume=True), "checkpoint.pt", "another model")


def test_a_checkpoint_without_its_parts_is_refused(tmp_path: Path) -> None:
    torch.save({"version": 1}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match=r"lacks objective.*start again"):
        run("one-class", tmp_path, resume=True)


def test_checkpoints_from_before_the_settings_were_kept_still_resume(tmp_path: Path) -> None:
    train(Line(), line_schedule(), tmp_path)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    del state["schedule"]["examples"]
    torch.save(state, tmp_path / "checkpoint.pt")
    assert len(train(Line(), line_schedule(), tmp_path, resume=True)) == 3


def test_resume_without_a_checkpoint_or_a_folder_is_refused(tmp_path: Path) -> None:
    refused(lambda: train(Line(), line_schedule(), tmp_path, resume=True), str(tmp_path / "checkpoint.pt"))
    refused(lambda: train(Line(), line_schedule(), resume=True), "folder")
