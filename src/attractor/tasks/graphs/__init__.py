"""Whole graphs: their classes, which of them are odd, and why."""

from attractor.tasks.graphs.classifier import GraphClassifier
from attractor.tasks.graphs.evaluate import evaluate_graphs

__all__ = ["GraphClassifier", "evaluate_graphs"]
