"""The trace: rises, arrays, and the energies that a sum is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_block import BATCH, DIM, TOKENS, small_block, tokens

from attractor.dynamics import Trace, descend, energy_parts
from attractor.errors import InputError


def trace_of(*energies: list[float], seams: tuple[int, ...] = ()) -> Trace:
    """A trace with these energies and nothing else."""
    e = torch.tensor(energies)
    none = torch.zeros_like(e[1:])
    return Trace(e, torch.zeros_like(e), none, none, torch.zeros(len(e[0])), torch.zeros(len(e[0])), seams=seams)


def test_rises_are_counted_by_sample() -> None:
    trace = trace_of([1.0, 1.0, 1.0], [2.0, 1.0, 0.0], [1.0, float("nan"), 0.01], [3.0, 0.0, 0.0])
    assert trace.rises().tolist() == [2, 2, 1]  # what is not a number has not fallen, and nothing has fallen from it


def test_a_rise_within_rounding_is_none_and_neither_is_a_seam() -> None:
    assert trace_of([-100.0], [-99.5]).rises().item() == 1
    assert trace_of([-100.0], [-99.5]).rises(0.01).item() == 0
    assert trace_of([1.0], [0.0], [5.0], [6.0], seams=(1,)).rises().item() == 1


def test_arrays_are_numpy_in_any_precision() -> None:
    energy, norm = small_block(dtype=torch.bfloat16)
    _, trace = descend(energy, norm, tokens(torch.bfloat16), steps=2, trace="tokens")
    arrays = trace.arrays()
    shapes = {name: array.shape for name, array in arrays.items()}
    rows, samples = {"step_sizes": (2, BATCH), "updates": (2, BATCH)}, {"steps": (BATCH,), "converged": (BATCH,)}
    states = {"energies": (3, BATCH), "forces": (3, BATCH), "tokens": (3, BATCH, TOKENS, DIM)}
    assert shapes == {**rows, **samples, **states}
    assert arrays["tokens"].dtype == np.float32
    assert arrays["steps"].tolist() == [2] * BATCH
    assert "tokens" not in descend(energy, norm, tokens(torch.bfloat16), trace=True)[1].arrays()


def test_no_step_is_a_trace_of_one_state() -> None:
    energy, norm = small_block()
    for rule in ("fixed", "guaranteed", "ode", "equilibrium"):
        _, trace = descend(energy, norm, tokens(), steps=0, rule=rule, trace="tokens")
        assert trace.energies.shape == trace.forces.shape == (1, BATCH)
        assert trace.step_sizes.shape == trace.updates.shape == (0, BATCH)
        assert trace.steps.tolist() == trace.rises().tolist() == [0] * BATCH


def test_the_parts_add_up_to_the_energy() -> None:
    energy, norm = small_block()
    _, trace = descend(energy, norm, tokens(), steps=3, trace="tokens")
    parts = energy_parts(trace, energy, norm)
    assert set(parts) == {"EnergyAttention", "HopfieldMemory"}
    torch.testing.assert_close(sum(parts.values()), trace.energies)
    with pytest.raises(InputError, match="tokens"):
        energy_parts(descend(energy, norm, tokens(), trace=True)[1], energy, norm)
