"""What a user holds: fit, score, save."""

from attractor.tasks.detection.detector import AnomalyDetector
from attractor.tasks.detection.evaluate import evaluate_images
from attractor.tasks.detection.evaluation import Evaluation, Example
from attractor.tasks.detection.scores import ImageScores
from attractor.tasks.graphs import GraphAnomalyDetector, GraphClassifier, evaluate_graphs
from attractor.tasks.inpainting.inpainter import Inpainter
from attractor.tasks.nodes import NodeAnomalyDetector, evaluate_nodes

__all__ = [
    "AnomalyDetector",
    "Evaluation",
    "Example",
    "GraphAnomalyDetector",
    "GraphClassifier",
    "ImageScores",
    "Inpainter",
    "NodeAnomalyDetector",
    "evaluate_graphs",
    "evaluate_images",
    "evaluate_nodes",
]
