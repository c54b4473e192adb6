"""Whole graphs: their classes, which of them are odd, and why."""

from attractor.tasks.graphs.classifier import GraphClassifier

__all__ = ["GraphClassifier"]
