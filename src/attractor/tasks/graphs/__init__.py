"""Whole graphs: their classes, which of them are odd, and why."""

from attractor.tasks.graphs.classifier import GraphClassifier
from attractor.tasks.graphs.detector import GraphAnomalyDetector
from attractor.tasks.graphs.evaluate import evaluate_graphs

__all__ = ["GraphAnomalyDetector", "GraphClassifier", "evaluate_graphs"]
