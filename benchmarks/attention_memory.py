"""Memory and time of one training step, ours against autograd through the published PyTorch code, as JSON.

    python benchmarks/attention_memory.py --peer CLONE

CLONE is a clone of github.com/Lemon-cmd/energy-transformer-torch; it needs ``pip install einops``. Every run is a
process of its own and reports its peak resident memory above what it held before the step (Linux). The published code
keeps several N x N arrays a step and head; where twelve steps of it do not fit in memory, fewer are measured
(``--peer-steps``) and a line is laid through them, which the JSON says. Set OMP_NUM_THREADS for the threads of both.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attractor.dynamics import descend
from attractor.energy import EnergyAttention, EnergyLayerNorm, HopfieldMemory
from attractor.files import json_text, write_json
from attractor.provenance import provenance

DIM, HEADS, HEAD_DIM, MEMORIES, STEP_SIZE = 256, 8, 32, 1024, 0.1
WARM_UP = 128  # tokens of the step that loads every library before memory is looked at
MEASURED = ("peak_mb", "cpu_seconds")
Walk = Callable[[Tensor], Tensor]


def ours(steps: int) -> Walk:
    """The descent of this library."""
    energy = EnergyAttention(DIM, HEADS, HEAD_DIM, include_self=True) + HopfieldMemory(DIM, MEMORIES)
    norm = EnergyLayerNorm(DIM)
    return lambda x: descend(energy, norm, x, steps=steps, step_size=STEP_SIZE)[0]


def published(clone: Path, steps: int) -> Walk:
    """The descent of the published code, from its one file: the package around it wants torchvision."""
    spec = importlib.util.spec_from_file_location("published_core", clone / "image_et" / "core.py")
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    image, patch = torch.zeros(1, 3, 32, 32), core.Patch(4, n=32)  # for the encoder, which is not run
    sizes = {"tkn_dim": DIM, "qk_dim": HEAD_DIM, "nheads": HEADS, "hn_mult": MEMORIES / DIM}
    model = core.ET(image, patch, time_steps=steps, **sizes)
    return lambda x: model.evolve(x, STEP_SIZE)[0]


def training_step(walk: Walk, tokens: int) -> None:
    """Forward and backward of the mean square of where the tokens end."""
    x = torch.randn(1, tokens, DIM, requires_grad=True)
    walk(x).square().mean().backward()


def resident(field: str) -> float:
    """A figure of this process in MB: ``VmRSS`` (now) or ``VmHWM`` (at its highest since the last reset)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


def measure(walk: Walk, tokens: int) -> dict[str, float]:
    """Peak memory above the start in MB, and processor seconds, of one training step after a small one."""
    training_step(walk, WARM_UP)
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before, start = resident("VmRSS"), time.process_time()
    training_step(walk, tokens)
    return {"cpu_seconds": time.process_time() - start, "peak_mb": resident("VmHWM") - before}


def in_process(code: str, steps: int, args: argparse.Namespace) -> dict[str, Any]:
    """:func:`measure` in a process of its own."""
    command = [sys.executable, __file__, "--peer", args.peer, "--tokens", str(args.tokens), "--one", code, str(steps)]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
    run = {"code": code, "steps": steps, **json.loads(done.stdout)}
    print(run, file=sys.stderr)
    return run


def at_steps(runs: list[dict[str, Any]], steps: int) -> dict[str, Any]:
    """Peak and time at ``steps``: measured, or on the line through what was."""
    for run in runs:
        if run["steps"] == steps:
            return {key: run[key] for key in MEASURED} | {"extrapolated": False}
    taken = [run["steps"] for run in runs]
    line = {key: np.polyval(np.polyfit(taken, [run[key] for run in runs], 1), steps) for key in MEASURED}
    return line | {"extrapolated": True}


def main() -> None:
    """Measure both and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, metavar="CLONE")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--peer-steps", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("results/attention-memory.json"))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        code, steps = args.one[0], int(args.one[1])
        walk = ours(steps) if code == "ours" else published(args.peer, steps)
        print(json.dumps(measure(walk, args.tokens)))
        return
    runs = {"ours": [in_process("ours", steps, args) for steps in sorted({*args.peer_steps, args.steps})]}
    runs["published"] = [in_process("published", steps, args) for steps in args.peer_steps]
    result = {code: at_steps(measured, args.steps) for code, measured in runs.items()}
    sizes = {"batch": 1, "tokens": args.tokens, "dim": DIM, "heads": HEADS, "head_dim": HEAD_DIM, "memories": MEMORIES}
    ratios = {key: result["ours"][key] / result["published"][key] for key in MEASURED}
    report = {"sizes": {**sizes, "steps": args.steps}, **result, "ours_to_published": ratios, "runs": runs}
    write_json(args.out, {**report, "provenance": provenance()})
    print(json_text({**result, "ours_to_published": ratios}), end="")


if __name__ == "__main__":
    main()
