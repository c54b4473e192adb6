"""Rows of anomaly detection among nodes: a stratified split a seed, all test nodes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from attractor.data.graphs.fraud import ARCHIVES, BY_HAND, fraud_graph
from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.node_reading import as_node_graph
from attractor.errors import InputError
from attractor.reproduce.part import Kind, Part
from attractor.tasks.nodes.evaluate import evaluate_nodes

MEASURES = ("auc", "ap", "macro_f1")


class NodeAnomalies(Kind):
    """AUC, average precision and macro-F1; settings are ``train_fraction`` and the detector's own."""

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """The graph as one part."""

        def measure() -> dict[str, float]:
            found = evaluate_nodes(self.graph, seeds=[seed], **settings)
            return {name: found[name]["mean"] for name in MEASURES}

        yield Part("", measure)

    @cached_property
    def graph(self) -> NodeGraph:
        """The graph, read once for all variants and seeds: a fraud set, or a file that was put there by hand."""
        if self.data in (*ARCHIVES, *BY_HAND):
            return fraud_graph(self.data, self.folder)
        path = self.folder / f"{self.data}.npz"
        if not path.exists():
            raise InputError(f"{path} is missing; put the graph there by hand, as `attractor nodes fit` takes it")
        return as_node_graph(path)
