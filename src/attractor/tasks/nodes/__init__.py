"""Odd nodes found in a graph: fit with labels or without, score, decide, save; and measured as published."""

from attractor.tasks.nodes.detector import NodeAnomalyDetector
from attractor.tasks.nodes.evaluate import evaluate_nodes

__all__ = ["NodeAnomalyDetector", "evaluate_nodes"]
