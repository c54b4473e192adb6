"""What is measured: the sizes of every case, our side of it, and the published codes that can stand beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from attractor.bench import inputs
from attractor.bench.inputs import Maker

PEERS = {
    "et-torch": "github.com/Lemon-cmd/energy-transformer-torch",
    "et-jax": "github.com/bhoov/energy-transformer-jax",
    "graph-jax": "github.com/Lemon-cmd/energy-transformer-graph",
    "node-dgl": "github.com/zhuergou/Energy-Transformer-for-Graph-Anomaly-Detection",
    "selyne": "github.com/cagasolu/energy-transformer",
}


@dataclass(frozen=True)
class Case:
    """A piece of work of fixed size.

    ``side``: the file under ``sides`` that does it with this library, ``peers``: with published code, by the names of
    :data:`PEERS`. ``spec``: the sizes, which every side reads. ``inputs`` makes the files that it names.
    """

    title: str
    side: str
    spec: dict[str, Any]
    peers: dict[str, str] = field(default_factory=dict)
    inputs: Maker | None = None


ET = {"heads": 12, "head_dim": 64, "steps": 12, "step_size": 0.1}
ET_PEERS = {"et-torch": "image_et_torch", "et-jax": "image_et_jax"}

CASES = {
    "et-small": Case(
        "Energy Transformer, 65 tokens of 128, 12 steps, batch 128",
        "image_et",
        {**ET, "tokens": 65, "dim": 128, "memories": 512, "batch": {"forward": 128, "train": 128}},
        ET_PEERS,
    ),
    "et-base": Case(
        "Energy Transformer, 197 tokens of 768, 12 steps, batch 8 (training 4)",
        "image_et",
        {**ET, "tokens": 197, "dim": 768, "memories": 3072, "batch": {"forward": 8, "train": 4}},
        ET_PEERS,
    ),
    "selyne": Case(
        "SELYNE, the published 59.3 M model, 64 pixels, batch 32",
        "selyne",
        {"batch": 32, "image": 64},
        {"selyne": "selyne_torch"},
    ),
    "folder": Case(
        "Scoring a folder of 512 JPEGs of 500 x 375 pixels, SELYNE with 59.3 M parameters",
        "folder",
        {"image": 64, "batch": 32},
        {"selyne": "folder_torch"},
        inputs.photographs,
    ),
    "graph-et": Case(
        "Energy Transformer on 64 graphs of 30 to 50 nodes, 4 blocks of 128",
        "graph_et",
        {
            "dim": 128,
            "heads": 12,
            "head_dim": 64,
            "memories": 512,
            "blocks": 4,
            "steps": 1,
            "step_size": 0.1,
            "positions": 15,
        },
        {"graph-jax": "graph_et_jax"},
        inputs.molecules,
    ),
    "node-et": Case(
        "Energy Transformer on a graph of 11,944 nodes and 212,000 edges, width 64",
        "node_et",
        {"dim": 64, "heads": 2, "head_dim": 32, "memories": 128, "steps": 2, "step_size": 0.5},
        {"node-dgl": "node_et_dgl"},
        inputs.reviewers,
    ),
}
