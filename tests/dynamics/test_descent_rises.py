"""No energy rises under the guaranteed rule: 10,000 random blocks, inputs, scales and step sizes, two precisions."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

BENCHMARK = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "descent.py"))
# A float32 trace evaluated anew in float64 may rise by the rounding of float32, as a share of the energy.
DRIFT = {torch.float64: 1e-14, torch.float32: 1e-6}


@pytest.mark.parametrize("dtype", DRIFT)
def test_no_energy_rises(dtype: torch.dtype) -> None:
    blocks = shortened = 0
    for draw in BENCHMARK["draws"](BENCHMARK["GROUPS"], BENCHMARK["BLOCKS"]):
        trace = BENCHMARK["walk"](draw, "guaranteed", dtype)
        assert trace.rises().sum() == 0
        assert BENCHMARK["drift"](draw, trace) <= DRIFT[dtype]
        assert (trace.energies[-1] < trace.energies[0]).float().mean() > 0.9
        blocks += len(draw.x)
        shortened += int(((trace.step_sizes > 0) & (trace.step_sizes < 0.9 * draw.step_size)).any(dim=0).sum())
    assert blocks == 10_000
    assert shortened > 50  # else the draws would be too easy to tell
