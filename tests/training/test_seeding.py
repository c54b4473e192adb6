"""Every generator is seeded, comes back from a checkpoint, and is put back for the caller."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from attractor.training.checkpoint import load_checkpoint, save_checkpoint
from attractor.training.seeding import rng_state, seeded, set_rng_state


def draws() -> list[float]:
    """From every generator, the Gaussian ones twice: they keep a spare number."""
    legacy = [np.random.rand(), np.random.randn(), np.random.randn()]  # noqa: NPY002
    return [*legacy, random.random(), random.gauss(0, 1), torch.rand(()).item(), torch.randn(()).item()]


def test_generators_go_on_where_they_were(tmp_path: Path) -> None:
    draws()
    np.random.randn()  # noqa: NPY002  leaves a spare Gaussian in the generator
    save_checkpoint(tmp_path / "c.pt", {"rng": rng_state()})
    expected = draws()
    draws()
    set_rng_state(load_checkpoint(tmp_path / "c.pt")["rng"])
    assert draws() == expected


def test_the_caller_draws_on_as_if_nothing_had_been_drawn() -> None:
    start = rng_state()
    expected = draws(), draws()
    set_rng_state(start)
    assert draws() == expected[0]
    with pytest.raises(KeyboardInterrupt), seeded(7):
        draws()
        raise KeyboardInterrupt
    assert draws() == expected[1]


def test_the_seed_decides_what_is_drawn() -> None:
    def drawn(seed: int) -> list[float]:
        with seeded(seed):
            return draws()

    first, other = drawn(7), drawn(8)
    draws()
    assert drawn(7) == first and not set(first) & set(other)
    with seeded(7):
        assert torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(7).get_state())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_generator_of_a_gpu_too() -> None:
    before = torch.cuda.get_rng_state_all()
    with seeded(7):
        first = torch.rand(3, device="cuda")
    with seeded(7):
        assert torch.equal(torch.rand(3, device="cuda"), first)
    assert all(torch.equal(a, b) for a, b in zip(torch.cuda.get_rng_state_all(), before, strict=True))
