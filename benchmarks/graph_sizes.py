"""One large graph among small ones: what a batch of 64 costs as one of its graphs grows.

    python benchmarks/graph_sizes.py

Every size runs in a process of its own: a forward pass and a training step of the network that ``attractor bench
graph-et`` measures, float32, and the memory that training takes beyond the forward pass.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from processes import each_alone

from attractor.bench.inputs import GRAPHS, KINDS, LARGEST, SMALLEST, bonds
from attractor.data.graphs.graph_set import Categories, GraphSet
from attractor.data.graphs.packed import Encoder
from attractor.files import write_json
from attractor.models import GraphET, GraphETConfig
from attractor.provenance import provenance

SIZES = (LARGEST, 500, 2_000, 8_000, 32_000)
SEED, REPEATS = 0, 7
RESULT = Path(__file__).parents[1] / "results" / "graph-sizes.json"


def graphs(largest: int) -> GraphSet:
    """63 graphs of 30 to 50 nodes and one of ``largest``."""
    draw = np.random.default_rng(SEED)
    sizes = np.append(draw.integers(SMALLEST, LARGEST + 1, GRAPHS - 1), largest)
    edges = [start + bonds(draw, size) for start, size in zip(sizes.cumsum() - sizes, sizes, strict=True)]
    x = torch.eye(KINDS)[torch.from_numpy(draw.integers(KINDS, size=sizes.sum()))]
    labels = Categories.of(draw.integers(2, size=GRAPHS).tolist())
    return GraphSet.build(torch.from_numpy(sizes), torch.from_numpy(np.hstack(edges)), x, y=labels, name="graphs")


def measure(largest: int) -> dict[str, Any]:
    """One size, in this process."""
    torch.manual_seed(SEED)
    made = graphs(largest)
    encoder = Encoder.of(made)
    batch, labels = encoder.encode(made).batch(range(GRAPHS)), made.y.codes
    sizes = {name: getattr(encoder, name) for name in ("features", "positions", "links")}
    config = GraphETConfig(**sizes, classes=2, dim=128, heads=12, head_dim=64, memories=512, blocks=4, steps=1)
    network = GraphET(config)
    optimizer = torch.optim.AdamW(network.parameters())

    def forward() -> None:
        with torch.no_grad():
            network(batch)

    def train() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(batch), labels).backward()
        optimizer.step()

    forward_ms, before = median_ms(forward), peak_mb()
    return {
        "largest": largest,
        "tokens": len(batch.x),
        "padded_tokens": GRAPHS * (largest + 1),
        "edges": batch.edges.count,
        "forward_ms": forward_ms,
        "train_ms": median_ms(train),
        "train_mb": peak_mb() - before,
    }


def median_ms(run: Callable[[], None]) -> float:
    """Of several runs after one that warms up."""
    run()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def peak_mb() -> float:
    """The highest memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    """Run every size and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="nodes of the largest graph")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    rows = each_alone(__file__, arguments.sizes)
    write_json(arguments.output, {"name": "graph-sizes", "seed": SEED, **provenance(), "sizes": rows})


if __name__ == "__main__":
    main()
