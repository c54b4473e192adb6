"""Rows of anomaly detection among nodes: a stratified split a seed, all test nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attractor.data.graphs.fraud import fraud_graph
from attractor.reproduce.part import Kind, Part
from attractor.tasks.nodes.evaluate import evaluate_nodes

MEASURES = ("auc", "ap", "macro_f1")


class NodeAnomalies(Kind):
    """AUC, average precision and macro-F1; settings are ``train_fraction`` and the detector's own."""

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """The graph as one part."""

        def measure() -> dict[str, float]:
            local = self.folder / f"{self.data}.npz"
            graph = fraud_graph(str(local) if local.exists() else self.data, self.folder)
            found = evaluate_nodes(graph, seeds=[seed], **settings)
            return {name: found[name]["mean"] for name in MEASURES}

        yield Part("", measure)
