"""Time and memory of graph classification, ours beside the published JAX code, as results/graph-speed.json.

    python benchmarks/graph_speed.py --peer CLONE --peer-python PYTHON

CLONE is a clone of github.com/Lemon-cmd/energy-transformer-graph, PYTHON an interpreter with ``pip install jax flax
optax``. Both get the same 64 random graphs and models of the same size, and do a forward pass without noise and a
training step as published (labels smoothed by 0.05, noise 0.02, AdamW). Each lives in a process of its own on the same
cores, warmed up and compiled. They take turns, so that what else the machine does falls on both, and ratios are taken
within a turn. Positions, and for the published code padding, are made beforehand and are not counted (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from timed import timed
from torch import Tensor

from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.data.graphs.packed import Encoder
from attractor.errors import InputError
from attractor.files import json_text, write_json
from attractor.models import GraphET, GraphETConfig
from attractor.provenance import provenance

GRAPHS, SMALLEST, LARGEST, KINDS = 64, 30, 50, 16  # of atoms
POSITIONS = 15  # eigenvectors
SIZES = {"dim": 128, "heads": 12, "head_dim": 64, "memories": 512, "blocks": 4, "steps": 1, "step_size": 0.1}
SIZES |= {"noise": 0.02, "dropout": 0}
PASSES = ("forward", "train")
MILLISECONDS = {"seconds": "ms", "cpu_seconds": "cpu_ms"}
Side = Callable[[str], dict[str, float]]  # time and memory of a pass


def molecules(seed: int) -> GraphSet:
    """Random trees that branch near their ends, and a ring closed for every fourth node; degree 2.4 on the average."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(SMALLEST, LARGEST + 1, GRAPHS)
    edges = []
    for start, size in zip(sizes.cumsum() - sizes, sizes, strict=True):
        bonds = [(node, draw.integers(max(0, node - 4), node)) for node in range(1, size)]
        rings = [draw.choice(size, 2, replace=False) for _ in range(size // 4)]
        edges.append(start + np.array([*bonds, *rings]).T)
    x = np.eye(KINDS, dtype=np.float32)[draw.integers(KINDS, size=sizes.sum())]
    y = Categories.of(draw.integers(2, size=GRAPHS).tolist())
    return GraphSet.build(*map(torch.from_numpy, (sizes, np.concatenate(edges, axis=1), x)), y=y, name="molecules")


def ours(graphs: GraphSet, bf16: bool) -> Side:
    """The passes of this library, each on a batch cut anew, as in training."""
    torch.manual_seed(0)
    encoder = Encoder.of(graphs, eigenvectors=POSITIONS)
    packed, y = encoder.encode(graphs), graphs.y.codes
    known = {name: getattr(encoder, name) for name in ("features", "positions", "links", "eigenvectors")}
    model = GraphET(GraphETConfig(**known, **SIZES, classes=2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.05, fused=True)
    precision = torch.autocast("cpu", torch.bfloat16, enabled=bf16)

    def logits() -> Tensor:
        with precision:
            return model(packed.batch(range(len(packed))))

    def forward() -> None:
        model.eval()
        with torch.inference_mode():
            logits()

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(logits().float(), y, label_smoothing=0.05).backward()
        optimizer.step()

    passes = {"forward": forward, "train": train}
    for run in passes.values():
        run()
    return lambda name: timed(passes[name])


class Published:
    """The published code in its interpreter, alive and waiting to be told what to run."""

    def __init__(self, clone: Path, python: Path, graphs: GraphSet):
        arrays = {"ptr": graphs.ptr, "edge_index": graphs.edge_index, "x": graphs.x, "y": graphs.y.codes}
        command = [python, Path(__file__).with_name("graph_peer.py"), clone]
        with TemporaryDirectory() as folder:
            file = Path(folder) / "graphs.npz"
            np.savez(file, **arrays)
            self.process = subprocess.Popen([*command, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.runs_on = self._answer()

    def __call__(self, name: str) -> dict[str, float]:
        """Time and memory of one pass."""
        print(name, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise InputError("the published JAX code stopped; what it says stands above")
        return json.loads(line)


def in_turn(sides: dict[str, Side], name: str, turns: int) -> dict[str, Any]:
    """Medians of every side, and how many times longer the published code takes, turn by turn."""
    rounds = [{side: run(name) for side, run in sides.items()} for _ in range(turns)]
    report: dict[str, Any] = {}
    for side in sides:
        measured = [turn[side] for turn in rounds]
        ms = {to: 1e3 * statistics.median(m[of] for m in measured) for of, to in MILLISECONDS.items()}
        report[side] = {**ms, "peak_mb": max(m["peak_mb"] for m in measured)}
        if "published" in sides and side != "published":
            ratios = sorted(turn["published"]["seconds"] / turn[side]["seconds"] for turn in rounds)
            spread = {"median": statistics.median(ratios), "low": ratios[0], "high": ratios[-1]}
            report[side]["times_faster"] = spread
    return report


def peer(clone: Path | None, python: Path | None, graphs: GraphSet) -> Published | None:
    """The published code, unless it is not there, which is said."""
    asked = {"--peer": clone and clone / "src/model/et.py", "--peer-python": python}
    missing = [option for option, path in asked.items() if path is None or not path.exists()]
    if missing:
        print(f"published JAX code: skipped, as {' and '.join(missing)} name no such thing", file=sys.stderr)
        return None
    return Published(clone, python, graphs)


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, metavar="CLONE")
    parser.add_argument("--peer-python", type=Path, metavar="PYTHON")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("results/graph-speed.json"))
    args = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])  # the peer inherits it
    torch.set_num_threads(args.threads)
    graphs = molecules(seed=0)
    sizes = {"graphs": len(graphs), "nodes": len(graphs.x), "edges": graphs.edge_index.shape[1]}
    report: dict[str, Any] = {"name": "graph-speed", **sizes, "turns": args.turns}
    with ExitStack() as stack:
        sides: dict[str, Side] = {"float32": ours(graphs, bf16=False), "bfloat16": ours(graphs, bf16=True)}
        if published := peer(args.peer, args.peer_python, graphs):
            stack.enter_context(published.process)
            sides["published"] = published
            report["published_on"] = published.runs_on
        report |= {name: in_turn(sides, name, args.turns) for name in PASSES}
    write_json(args.out, {**report, **provenance()})
    print(json_text(report), end="")


if __name__ == "__main__":
    main()
