"""Rows of graph classification: cross-validation, fold by fold, and the published protocol in one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any

from attractor.data.graphs.folds import folds
from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.named_sets import graph_set
from attractor.data.graphs.splits import Split
from attractor.errors import InputError
from attractor.reproduce.part import Kind, Part
from attractor.tasks.graphs import GraphClassifier, evaluate_graphs
from attractor.tasks.graphs.evaluate import PUBLISHED

FOLDS = 10


class GraphClasses(Kind):
    """Accuracy; settings are ``protocol`` (held-out or published) and the classifier's own."""

    def parts(self, settings: dict[str, Any], seed: int) -> Iterator[Part]:
        """A part a fold; the published protocol, which fits once for all folds, is one part."""
        settings = dict(settings)
        if settings.pop("protocol") == PUBLISHED:
            yield Part("", partial(self.published, settings, seed))
            return
        for number, fold in enumerate(folds(self.graphs.y.codes, FOLDS, seed)):  # type: ignore[union-attr]
            yield Part(f"fold {number}", partial(self.held_out, fold, settings, seed))

    @cached_property
    def graphs(self) -> GraphSet:
        """The set, read once for all variants and seeds."""
        graphs = graph_set(self.data, self.folder)
        if graphs.y is None:
            raise InputError(f"{graphs.name} in {self.folder} has no classes; fetch it again")
        return graphs

    def published(self, settings: dict[str, Any], seed: int) -> dict[str, float]:
        """Training graphs included."""
        found = evaluate_graphs(self.graphs, FOLDS, protocol=PUBLISHED, seed=seed, **settings)
        return {"accuracy": found["accuracy"]["mean"]}

    def held_out(self, fold: Split, settings: dict[str, Any], seed: int) -> dict[str, float]:
        """The test graphs of one fold, scored once."""
        classifier = GraphClassifier(seed=seed, **settings)
        classifier.fit(self.graphs, train=fold.train, validation=fold.validation)
        return {"accuracy": classifier.score(self.graphs[fold.test])}
