"""The published JAX code for graph classification, ready to run a pass when told: the peer of graph_speed.py.

    PYTHON benchmarks/graph_peer.py CLONE GRAPHS.npz

PYTHON is an interpreter with ``pip install jax flax optax``; CLONE is a clone of
github.com/Lemon-cmd/energy-transformer-graph. Every line read names a pass, every line written is what it took, as
JSON; the first one, once everything is compiled, says what runs. Model, loss and optimizer are those of the notebooks
for TU sets, but for the learning rate, which stays at its peak.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from timed import timed

POSITIONS, CLASSES = 15, 10  # of every set, as published
Batch = dict[str, Any]


def published(clone: Path) -> Any:
    """The model, from its one file: the package around it cannot be imported."""
    package = ModuleType("published")
    package.__path__ = [str(clone / "src" / "model")]
    sys.modules["published"] = package
    model = importlib.import_module("published.et").EnergyTransformer
    return model(embed_dim=128, out_dim=CLASSES, nheads=12, head_dim=64, multiplier=4.0, block=4, depth=1, alpha=0.1)


def dense(file: Path) -> Batch:
    """The graphs as arrays of the largest one's size, with CLS in front, wired where they are padded as published."""
    graphs = np.load(file, allow_pickle=False)
    ptr, (sources, targets) = graphs["ptr"], graphs["edge_index"]
    sizes = np.diff(ptr)
    graph = np.repeat(np.arange(len(sizes)), sizes)
    node = np.arange(len(graph)) - ptr[graph]
    x = np.zeros((len(sizes), sizes.max(), graphs["x"].shape[1]), np.float32)
    x[graph, node] = graphs["x"]
    adjacency = np.zeros((len(sizes), sizes.max() + 1, sizes.max() + 1), np.float32)
    adjacency[:, 0] = adjacency[:, :, 0] = 1
    adjacency[graph[sources], node[sources] + 1, node[targets] + 1] = 1
    for matrix, size in zip(adjacency, sizes, strict=True):
        matrix[size + 1 :, : size + 1] = 1
    batch = {"X": x, "A": adjacency[..., None], "P": eigenvectors(adjacency), "Y": graphs["y"]}
    return {name: jnp.asarray(array) for name, array in batch.items()}


def eigenvectors(adjacency: Any) -> Any:
    """Those of the normalised Laplacians, from the second smallest eigenvalue on."""
    scale = adjacency.sum(-1) ** -0.5
    laplacian = np.eye(adjacency.shape[1]) - scale[:, :, None] * adjacency * scale[:, None]
    return np.linalg.eigh(laplacian)[1][..., 1 : POSITIONS + 1].astype(np.float32)


def passes(model: Any, batch: Batch) -> dict[str, Callable[[], Any]]:
    """A forward pass without noise, and a training step with it; each returns when it is done."""
    y, inputs, key = batch["Y"], [batch[name] for name in "XAP"], jax.random.PRNGKey(42)
    params = model.init(key, *inputs, key)["params"]
    optimizer = optax.chain(optax.centralize(), optax.adamw(1e-3, b1=0.9, b2=0.99, weight_decay=0.05))
    state = [params, optimizer.init(params)]

    @jax.jit
    def logits(params: Any, X: Any, A: Any, P: Any, key: Any = None) -> Any:
        return model.apply({"params": params}, X, A, P, key)["CLS"][:, 0]

    @jax.jit
    def step(params: Any, moments: Any, X: Any, A: Any, P: Any, y: Any, key: Any) -> Any:
        def loss(params: Any) -> Any:
            targets = optax.smooth_labels(jax.nn.one_hot(y, CLASSES), 0.05)
            return optax.softmax_cross_entropy(logits(params, X, A, P, key), targets).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        updates, moments = optimizer.update(gradient, moments, params)
        return optax.apply_updates(params, updates), moments, value

    def train() -> Any:
        *state[:], value = jax.block_until_ready(step(*state, *inputs, y, key))
        return value

    return {"forward": lambda: logits(params, *inputs).block_until_ready(), "train": train}


def main() -> None:
    """Compile, say so, and answer until the input ends."""
    clone, graphs = map(Path, sys.argv[1:])
    model = published(clone)
    ready = passes(model, dense(graphs))
    for run in ready.values():
        run()
    print(json.dumps({"jax": jax.__version__, "device": jax.devices()[0].platform}), flush=True)
    for line in sys.stdin:
        print(json.dumps(timed(ready[line.strip()])), flush=True)


if __name__ == "__main__":
    main()
