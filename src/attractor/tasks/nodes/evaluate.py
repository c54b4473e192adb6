"""The published protocol: a fresh split a seed, epoch and threshold from validation, scores on all test nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attractor.data.graphs.node_reading import as_node_graph
from attractor.data.graphs.splits import stratified_split
from attractor.errors import InputError
from attractor.scoring.thresholds import node_metrics
from attractor.tasks.nodes.detector import NodeAnomalyDetector
from attractor.tasks.spread import spread


def evaluate_nodes(graph: Any, train_fraction: float, seeds: Iterable[int], **settings: Any) -> dict[str, Any]:
    """Fit and test a :class:`NodeAnomalyDetector` with these settings on the split of every seed.

    ``auc``, ``ap``, ``macro_f1``, ``precision`` and ``recall`` on the test nodes, each the ``mean``, the ``std`` of
    the sample and the ``values`` in the order of ``seeds``; and the sizes of the parts. Raises :class:`InputError` on a
    graph without labels and where :func:`~attractor.data.graphs.splits.stratified_split` does.
    """
    graph, seeds = as_node_graph(graph), [int(seed) for seed in seeds]
    if graph.y is None or not seeds:
        raise InputError(f"{graph.name} has no labels (y), or there are no seeds; an evaluation needs both")
    runs, sizes = [], {}
    for seed in seeds:
        split = stratified_split(graph.y, train_fraction, seed)
        detector = NodeAnomalyDetector(seed=seed, **settings)
        detector.fit(graph, train=split.train, validation=split.validation)
        scores = detector.decision_function(graph)[split.test]
        runs.append(node_metrics(graph.y[split.test], scores, detector.threshold_))
        sizes = {name: len(nodes) for name, nodes in vars(split).items()}
    figures = {name: spread([run[name] for run in runs]) for name in runs[0]}
    return {**figures, "train_fraction": train_fraction, "seeds": seeds, "nodes": sizes}
