"""The published JAX Energy Transformer for graphs: its whole model on a batch, and a training step with its loss.

``clone`` is one of github.com/Lemon-cmd/energy-transformer-graph; the interpreter needs ``pip install jax flax optax``.
Model, loss and optimizer are those of the notebooks for TU sets, but for the learning rate, which stays at its peak;
the dense arrays of the batch and its eigenvectors, which they make once, are no part of a pass.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

CLASSES = 10  # of every set, as published
Batch = dict[str, Any]


def published(spec: dict[str, Any]) -> Any:
    """The model, from its one file: the package around it cannot be imported."""
    package = ModuleType("published")
    package.__path__ = [str(Path(spec["clone"]) / "src" / "model")]
    sys.modules["published"] = package
    model = importlib.import_module("published.et").EnergyTransformer
    sizes = {
        "embed_dim": spec["dim"],
        "nheads": spec["heads"],
        "head_dim": spec["head_dim"],
        "multiplier": spec["memories"] / spec["dim"],
        "block": spec["blocks"],
        "depth": spec["steps"],
        "alpha": spec["step_size"],
    }
    return model(out_dim=CLASSES, **sizes)


def dense(file: Path, positions: int) -> Batch:
    """The graphs as arrays of the largest one's size, with CLS in front, wired where they are padded as published."""
    graphs = np.load(file, allow_pickle=False)
    sizes, (sources, targets) = graphs["sizes"], graphs["edge_index"]
    graph = np.repeat(np.arange(len(sizes)), sizes)
    node = np.arange(len(graph)) - (sizes.cumsum() - sizes)[graph]
    x = np.zeros((len(sizes), sizes.max(), graphs["x"].shape[1]), np.float32)
    x[graph, node] = graphs["x"]
    adjacency = np.zeros((len(sizes), sizes.max() + 1, sizes.max() + 1), np.float32)
    adjacency[:, 0] = adjacency[:, :, 0] = 1
    adjacency[graph[sources], node[sources] + 1, node[targets] + 1] = 1
    for matrix, size in zip(adjacency, sizes, strict=True):
        matrix[size + 1 :, : size + 1] = 1
    batch = {"X": x, "A": adjacency[..., None], "P": eigenvectors(adjacency, positions), "Y": graphs["y"]}
    return {name: jnp.asarray(array) for name, array in batch.items()}


def eigenvectors(adjacency: Any, count: int) -> Any:
    """Those of the normalised Laplacians, from the second smallest eigenvalue on."""
    scale = adjacency.sum(-1) ** -0.5
    laplacian = np.eye(adjacency.shape[1]) - scale[:, :, None] * adjacency * scale[:, None]
    return np.linalg.eigh(laplacian)[1][..., 1 : count + 1].astype(np.float32)


def passes(spec: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """``forward`` without noise, and ``train`` with it."""
    if spec["precision"] != "float32":
        raise ValueError(f"precision {spec['precision']}: the published code runs in float32")
    model, batch, key = published(spec), dense(Path(spec["file"]), spec["positions"]), jax.random.PRNGKey(spec["seed"])
    y, inputs = batch["Y"], [batch[name] for name in "XAP"]
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

    def train() -> float:
        *state[:], value = jax.block_until_ready(step(*state, *inputs, y, key))
        return float(value)

    return {"forward": lambda: logits(params, *inputs).block_until_ready(), "train": train}


def versions() -> dict[str, str]:
    """What runs it."""
    return {"jax": jax.__version__, "device": jax.devices()[0].platform}
