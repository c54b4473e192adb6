"""Anomaly detection on the nodes of a graph: from labels where there are some, from the graph alone where not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score
from torch import Tensor

from attractor.console import stderr
from attractor.data.graphs.node_reading import as_node_graph
from attractor.data.graphs.sampler import NeighbourSampler
from attractor.energy import Edges
from attractor.errors import InputError
from attractor.models import NodeET, NodeETConfig
from attractor.scoring.conformal import ConformalCalibrator
from attractor.scoring.thresholds import best_threshold
from attractor.tasks import settings
from attractor.tasks.members import check_settings, member_seeds, train_members
from attractor.tasks.nodes.fitting import EPOCHS, is_large, make_schedule, train_member
from attractor.tasks.nodes.inputs import as_networks_see, labels_of, require_alike
from attractor.tasks.nodes.saved import load_detector, save_detector
from attractor.tasks.nodes.scores import combined, probability, raw_figures, scales_of
from attractor.tasks.nodes.split import resolve_split
from attractor.tasks.saving import Saved, whole_or_not_at_all
from attractor.tasks.splitting import numbers_of
from attractor.training.loop import History
from attractor.training.nodes import Nodes

RATE = 0.01  # of false alarms, for p-values where decisions are made by macro-F1
CALIBRATION = 100_000  # scores of normal nodes that are kept at most
MERGED = {"merged": True, "separate": False}


class NodeAnomalyDetector(Saved, BaseEstimator):
    """Finds the odd nodes of a graph: Energy Transformers on its edges, trained on labels or on hidden features.

    With labels the score is the probability of an anomaly. Without any it is the mean of two standardised figures: the
    node's energy at the end of the descent (high where it is not at home among its neighbours and the memories) and
    the logarithm of the error with which its features are foretold when hidden. That finds nodes
    which do not fit in; anomalies that look like the rest, as fraud may, it finds no better than chance.

    ``dim``, ``steps``: width of the tokens and steps of the descent. ``relations``: ``"merged"`` into one set of edges,
    or each with an attention of its own, ``"separate"``. ``epochs``: by default enough for 120 optimizer steps, and at
    least 5; ``lr`` is their peak learning rate. ``members``: networks, started independently, whose scores are
    averaged. ``sampling``: train on sampled neighbourhoods, of ``fanouts`` neighbours a hop around ``batch_size`` nodes
    a step; by default only where nodes and edges are more than 10 million. Scores are exact always, of the whole
    graph. ``false_alarm_rate``: share of normal nodes that may be flagged; None decides by the threshold of highest
    macro-F1 on the validation nodes, or is 0.01 without labels.

    Nothing happens before :meth:`fit`. Fitted attributes: ``members_``, ``threshold_`` (of scores), ``calibrator_``
    (on validation nodes that are normal, or all without labels), ``split_``, ``history_`` (a row an epoch and member;
    not saved), ``supervised_``, ``features_`` (of the graph; the networks see degrees beside them), ``columns_`` (their
    names, None where they have none), ``relations_`` (names), ``scales_`` (of the two figures; empty with labels).
    """

    _write, _read = save_detector, classmethod(load_detector)

    def __init__(
        self,
        *,
        dim: int = 64,
        steps: int = 2,
        relations: str = "merged",
        epochs: int | None = None,
        lr: float = 0.01,
        members: int = 3,
        sampling: bool | None = None,
        fanouts: Sequence[int] = (15, 10),
        batch_size: int = 1024,
        false_alarm_rate: float | None = None,
        seed: int = 0,
    ):
        self.dim = dim
        self.steps = steps
        self.relations = relations
        self.epochs = epochs
        self.lr = lr
        self.members = members
        self.sampling = sampling
        self.fanouts = fanouts
        self.batch_size = batch_size
        self.false_alarm_rate = false_alarm_rate
        self.seed = seed

    # --- fitting -----------------------------------------------------------------------------------------------

    @whole_or_not_at_all
    def fit(
        self,
        graph: Any,
        y: Any = None,
        *,
        train: Any = None,
        validation: Any = None,
        checkpoint: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> NodeAnomalyDetector:
        """Learn from a graph (see :func:`attractor.data.graphs.node_reading.as_node_graph`).

        ``y (N,)``: 1 anomalous, 0 normal, -1 not known, in place of the graph's own; where none is known training is
        on hidden features. ``train``, ``validation``: bool ``(N,)`` or numbers of nodes; without ``validation`` a
        third, stratified, of the nodes that train (by default all labelled ones) is held out for it. Validation
        chooses epoch, threshold and calibration. ``checkpoint`` is a folder in which training is checkpointed and from
        which ``resume`` continues. Raises :class:`InputError` on what cannot be learned from, and says why.
        """
        self._check_settings()
        graph = as_node_graph(graph)
        labels = labels_of(graph, y)
        self.supervised_ = labels is not None
        self.split_ = resolve_split(graph.nodes, labels, train, validation, self.seed)
        self._tell_split(labels)
        self.features_, self.columns_, self.relations_ = graph.x.shape[1], graph.columns, sorted(graph.relations)
        x, edges = as_networks_see(graph, MERGED[self.relations])
        self.members_, self.history_ = self._train(labels, x, edges, checkpoint, resume)
        self._calibrate(labels, x, edges)
        return self

    def _check_settings(self) -> None:
        """Refuse what cannot work before any work is done."""
        if self.false_alarm_rate is not None:
            ConformalCalibrator(self.false_alarm_rate)
        settings.one_of("relations", self.relations, MERGED)
        check_settings({**self.get_params(deep=False), "epochs": EPOCHS if self.epochs is None else self.epochs})
        if self.sampling is not None:
            settings.flag("sampling", self.sampling)
        if isinstance(self.fanouts, str) or not isinstance(self.fanouts, Sequence):
            raise InputError(f"fanouts is {self.fanouts!r}; give whole numbers of 1 or more, one a hop")
        for nodes in self.fanouts:
            settings.whole_number("fanouts", nodes, 1)
        self._config(1, 1)

    def _config(self, features: int, relations: int) -> NodeETConfig:
        return NodeETConfig(features=features, relations=relations, dim=self.dim, steps=self.steps)

    def _tell_split(self, labels: Tensor | None) -> None:
        words = []
        for name, nodes in (("training", self.split_.train), ("validation", self.split_.validation)):
            anomalies = "" if labels is None else f" ({int(labels[nodes].sum())} anomalous)"
            words.append(f"{len(nodes)} nodes for {name}{anomalies}")
        stderr.print(f"{', '.join(words)}; {'no labels, ' if labels is None else ''}seed {self.seed}")

    def _train(
        self,
        labels: Tensor | None,
        x: Tensor,
        edges: tuple[Edges, ...],
        checkpoint: str | PathLike[str] | None,
        resume: bool,
    ) -> tuple[list[NodeET], History]:
        sampled = is_large(edges) if self.sampling is None else self.sampling
        sampler = NeighbourSampler([relation.to("cpu") for relation in edges], self.fanouts) if sampled else None
        nodes = Nodes(x, edges, self.split_.train, self.split_.validation, sampler)
        y = None if labels is None else labels.to(x.device)
        config = self._config(x.shape[1], len(edges))
        seeds = member_seeds(self.seed, self.members)
        schedules = [make_schedule(nodes, self.epochs, self.lr, self.batch_size, seed) for seed in seeds]
        return train_members(partial(train_member, nodes, y, config), schedules, checkpoint, resume)

    def _calibrate(self, labels: Tensor | None, x: Tensor, edges: tuple[Edges, ...]) -> None:
        """Threshold and calibrator from the validation nodes."""
        held_out = self.split_.validation
        figures = raw_figures(self.members_, x, edges) if labels is None else {}
        self.scales_ = scales_of(figures, held_out)
        scores = probability(self.members_, x, edges) if labels is not None else combined(figures, self.scales_)
        normal = held_out if labels is None else held_out[labels[held_out] == 0]
        some = torch.randperm(len(normal), generator=torch.Generator().manual_seed(int(self.seed)))[:CALIBRATION]
        self.calibrator_ = ConformalCalibrator(self.false_alarm_rate or RATE).fit(scores[normal[some]])
        if labels is not None and self.false_alarm_rate is None:
            self.threshold_ = best_threshold(labels[held_out], scores[held_out])
            return
        self.threshold_ = self.calibrator_.threshold
        if self.calibrator_.warning:
            stderr.print(self.calibrator_.warning)

    # --- scoring -----------------------------------------------------------------------------------------------

    def inputs(self, graph: Any) -> tuple[Tensor, tuple[Edges, ...]]:
        """What the networks see, where they are: features and degrees ``(N, F + R)``, and the edges of R relations.

        Raises :class:`InputError` on a graph whose features or relations are not those of :meth:`fit`.
        """
        self._check_fitted()
        graph = as_node_graph(graph)
        require_alike(graph, self.features_, self.columns_, self.relations_ if self.relations == "separate" else None)
        return as_networks_see(graph, MERGED[self.relations])

    def figures(self, graph: Any) -> dict[str, NDArray[np.float64]]:
        """What the score without labels is made of: ``energy (N,)``, and ``error (N,)``, a logarithm."""
        self._check_fitted()
        if self.supervised_:
            raise InputError("fitted with labels the score is a probability alone; fit with y of -1 for the figures")
        return raw_figures(self.members_, *self.inputs(graph))

    def decision_function(self, graph: Any) -> NDArray[np.float64]:
        """Scores ``(N,)`` of all nodes, higher is more anomalous; the graph may be another or have changed.

        Raises :class:`InputError` on a graph that does not fit, and where a score is not a number.
        """
        self._check_fitted()
        if self.supervised_:
            scores = probability(self.members_, *self.inputs(graph))
        else:
            scores = combined(self.figures(graph), self.scales_)
        if not np.isfinite(scores).all():
            raise InputError(
                f"{int((~np.isfinite(scores)).sum())} scores are not finite; the detector is broken: fit again"
            )
        return scores

    def predict(self, graph: Any) -> NDArray[np.int64]:
        """Decisions ``(N,)``: 1 anomalous, 0 normal."""
        return self.is_anomalous(self.decision_function(graph)).astype(np.int64)

    def is_anomalous(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Decisions on scores ``(N,)``, by the false-alarm rate; with labels and no such rate, by the threshold."""
        self._check_fitted()
        if self.supervised_ and self.false_alarm_rate is None:
            return scores > self.threshold_
        return self.calibrator_.is_anomalous(scores)

    def p_values(self, graph: Any) -> NDArray[np.float64]:
        """Conformal p-values ``(N,)``: how often a normal node scores as high, at most; lower is more anomalous."""
        scores = self.decision_function(graph)
        return self.calibrator_.p_value(scores)

    def predict_proba(self, graph: Any) -> NDArray[np.float64]:
        """Probabilities of normal and anomalous, ``(N, 2)``. Raises :class:`InputError` when fitted without labels."""
        self._check_fitted()
        if not self.supervised_:
            raise InputError("fitted without labels there are no probabilities; use decision_function, or fit with y")
        p = self.decision_function(graph)
        return np.stack([1 - p, p], axis=1)

    def score(self, graph: Any, y: Any = None, nodes: Any = None) -> float:
        """Area under the ROC curve on the labelled among ``nodes`` (a mask or numbers; all by default).

        ``y (N,)`` is as in :meth:`fit`. Raises :class:`InputError` unless both classes are there.
        """
        graph = as_node_graph(graph)
        labels = labels_of(graph, y)
        chosen = numbers_of("nodes", torch.arange(graph.nodes) if nodes is None else nodes, graph.nodes, "node")
        chosen = chosen[:0] if labels is None else chosen[labels[chosen] >= 0]
        if labels is None or len(labels[chosen].unique()) < 2:
            raise InputError(f"{len(chosen)} labelled nodes are not of both classes; give y with some of each")
        return float(roc_auc_score(labels[chosen].numpy(), self.decision_function(graph)[chosen]))
