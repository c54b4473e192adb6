"""The published protocol: a split a seed, the threshold of validation, every test node, and the spread over seeds."""

import numpy as np
import pytest

from attractor.data.graphs.generated import power_law_graph
from attractor.data.graphs.splits import stratified_split
from attractor.errors import InputError
from attractor.scoring.thresholds import best_threshold, node_metrics
from attractor.tasks import NodeAnomalyDetector, evaluate_nodes

GRAPH = power_law_graph(300, 700, 5, anomalies=0.2, seed=1)
TINY = {"dim": 16, "epochs": 2, "members": 1}


def test_every_seed_has_its_split_and_all_its_test_nodes_count():
    found = evaluate_nodes(GRAPH, 0.4, [3, 4], **TINY)
    expected = []
    for seed in (3, 4):
        split = stratified_split(GRAPH.y, 0.4, seed)
        detector = NodeAnomalyDetector(seed=seed, **TINY).fit(GRAPH, train=split.train, validation=split.validation)
        p = detector.predict_proba(GRAPH)[:, 1]
        threshold = best_threshold(GRAPH.y[split.validation], p[split.validation])
        expected.append(node_metrics(GRAPH.y[split.test], p[split.test], threshold))
    for name in ("auc", "ap", "macro_f1"):
        values = [run[name] for run in expected]
        assert found[name]["values"] == pytest.approx(values)
        assert found[name]["mean"] == pytest.approx(np.mean(values))
        assert found[name]["std"] == pytest.approx(np.std(values, ddof=1))
    assert found["nodes"] == {"train": 120, "validation": 59, "test": 121} and found["seeds"] == [3, 4]


def test_a_graph_without_labels_cannot_be_evaluated():
    with pytest.raises(InputError, match="no labels"):
        evaluate_nodes((GRAPH.x, GRAPH.relations), 0.4, [0])
