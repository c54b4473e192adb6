"""What a user holds: fit, score, save."""

from attractor.tasks.anomaly import AnomalyDetector, ImageScores
from attractor.tasks.evaluate import evaluate
from attractor.tasks.evaluation import Evaluation, Example
from attractor.tasks.inpainting import Inpainter

__all__ = ["AnomalyDetector", "Evaluation", "Example", "ImageScores", "Inpainter", "evaluate"]
