"""Models and detectors for others: model cards, and the way to the Hub."""

from attractor.tasks.publishing.about import ABOUT, About
from attractor.tasks.publishing.card import model_card, training
from attractor.tasks.publishing.push import push_to_hub

__all__ = ["ABOUT", "About", "model_card", "push_to_hub", "training"]
