"""Rows of graph classification: cross-validation, fold by fold, and the published protocol in one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from attractor.data.graphs.folds import Fold, folds
from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.named_sets import graph_set
from attractor.reproduce.part import Kind, Part
from attractor.tasks.graphs import GraphClassifier, evaluate_graphs
from attractor.tasks.graphs.evaluate import PUBLISHED

FOLDS = 10


class GraphClasses(Kind):
    """Accuracy; settings are ``protocol`` (held-out or published) and the classifier's own."""

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """A part a fold; the published protocol, which fits once for all folds, is one part."""
        graphs = graph_set(self.data, self.folder)
        settings = dict(settings)
        if settings.pop("protocol") == PUBLISHED:
            yield Part("", partial(self.published, graphs, settings, seed))
            return
        for number, fold in enumerate(folds(graphs.y.codes, FOLDS, seed)):  # type: ignore[union-attr]
            yield Part(f"fold {number}", partial(self.held_out, graphs, fold, settings, seed))

    @staticmethod
    def published(graphs: GraphSet, settings: dict[str, Any], seed: int) -> dict[str, float]:
        """Training graphs included."""
        found = evaluate_graphs(graphs, FOLDS, protocol=PUBLISHED, seed=seed, **settings)
        return {"accuracy": found["accuracy"]["mean"]}

    @staticmethod
    def held_out(graphs: GraphSet, fold: Fold, settings: dict[str, Any], seed: int) -> dict[str, float]:
        """The test graphs of one fold, scored once."""
        classifier = GraphClassifier(seed=seed, **settings)
        classifier.fit(graphs, train=fold.train, validation=fold.validation)
        return {"accuracy": classifier.score(graphs[fold.test])}
