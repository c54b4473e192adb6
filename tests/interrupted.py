"""Training that is interrupted, and resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from attractor.training.loop import Trainer, train
from attractor.training.objective import Objective
from attractor.training.schedule import Schedule


def resumed_fit(fit: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a fit of two members, of three epochs each, gives that is interrupted in the last but one and resumed."""
    calls = _interrupt("finish_epoch", 5, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit(checkpoint=folder)
    calls.clear()
    resumed = fit(checkpoint=folder, resume=True)
    assert len(calls) == 2
    return resumed


def assert_resumes_to_the_bit(
    start: Callable[[], Objective], schedule: Schedule, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed at its sixth step and resumed ends as one that is left alone."""
    whole, killed, resumed = start(), start(), start()
    train(whole, schedule)
    _interrupt("train_step", 6, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(killed, schedule, folder)
    monkeypatch.undo()
    train(resumed, schedule, folder, resume=True)
    for name, expected in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], expected), name


def _interrupt(name: str, number: int, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Interrupt training at the so manyeth call of a method of its loop; the list grows with every call."""
    method, calls = getattr(Trainer, name), []

    def interrupting(self: Trainer, argument: Any) -> None:
        calls.append(argument)
        if len(calls) == number:
            raise KeyboardInterrupt
        method(self, argument)

    monkeypatch.setattr(Trainer, name, interrupting)
    return calls
