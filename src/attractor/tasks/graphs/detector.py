"""Anomaly detection among whole graphs: learn what is normal from normal graphs alone."""

from __future__ import annotations

import math
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score

from attractor.console import stderr
from attractor.data.graphs.packed import Encoder, PackedGraphs
from attractor.data.graphs.set_reading import as_graph_set
from attractor.errors import InputError
from attractor.models.device import default_device
from attractor.scoring.conformal import ConformalCalibrator
from attractor.tasks.graphs.fitting import make_schedule, model_config, train_member
from attractor.tasks.graphs.saved import load_detector, save_detector
from attractor.tasks.graphs.scores import GraphScorer, latents, mean_scores
from attractor.tasks.graphs.split import resolve_split
from attractor.tasks.members import check_settings, member_seeds, train_members
from attractor.tasks.saving import Saved, whole_or_not_at_all
from attractor.training.graphs import Graphs

HELD_OUT = 1 / 3  # of the graphs that train, to calibrate decisions
STEPS, EPOCHS = 150, 5  # by default as many epochs as make so many steps, and at least so many


class GraphAnomalyDetector(Saved, BaseEstimator):
    """Finds the odd graphs: Energy Transformers that foretell what is hidden of normal ones, and their latents.

    A latent is what a graph's reader and its nodes, in the mean, became at the end of the descent. The score is the
    geometric mean of its squared Mahalanobis distance from the normal graphs that train and of the distance of its
    nodes' part to the five nearest of those. Graphs are whatever
    :func:`attractor.data.graphs.set_reading.as_graph_set` reads, of any size; their classes, if any, do not act.

    ``dim``, ``blocks``: width of the tokens and energies in a row. ``epochs``: by default enough for 150 optimizer
    steps, and at least 5; ``lr`` is their peak learning rate, ``batch_size`` graphs a step. ``members``: networks,
    started independently, whose scores are averaged. ``walks``: steps of the random walks that tell nodes and edges
    apart. ``false_alarm_rate``: share of normal graphs that may be flagged. ``seed``: of the held-out graphs and of
    training.

    Nothing happens before :meth:`fit`. Fitted attributes: ``members_``, ``scorers_`` (one a member), ``encoder_``
    (labels and attributes that the networks know), ``calibrator_``, ``threshold_`` (of scores), ``split_`` (numbers of
    the graphs that train and of those that calibrate, its ``validation``), ``history_`` (a row an epoch and member; not
    saved).
    """

    _write, _read = save_detector, classmethod(load_detector)

    def __init__(
        self,
        *,
        dim: int = 64,
        blocks: int = 4,
        epochs: int | None = None,
        lr: float = 2e-3,
        batch_size: int = 32,
        members: int = 1,
        walks: int = 8,  # as measured in results/graphs-oneclass.json; the 16 of GraphClassifier was chosen on classes
        false_alarm_rate: float = 0.01,
        seed: int = 0,
    ):
        self.dim = dim
        self.blocks = blocks
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.members = members
        self.walks = walks
        self.false_alarm_rate = false_alarm_rate
        self.seed = seed

    # --- fitting -----------------------------------------------------------------------------------------------

    @whole_or_not_at_all
    def fit(
        self,
        graphs: Any,
        y: Any = None,
        *,
        train: Any = None,
        validation: Any = None,
        checkpoint: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> GraphAnomalyDetector:
        """Learn from normal graphs; ``y`` is there for scikit-learn and does not act.

        ``train``, ``validation``: bool ``(G,)`` or numbers of graphs; without ``validation`` a third of those that
        train (by default all) is held out for it. It calibrates decisions and does nothing else. ``checkpoint`` is a
        folder in which training is checkpointed and from which ``resume`` continues. Raises :class:`InputError` on what
        cannot be learned from.
        """
        self._check_settings()
        graphs = as_graph_set(graphs)
        self.split_ = resolve_split(len(graphs), None, train, validation, self.seed, HELD_OUT)
        if not len(self.split_.validation):
            raise InputError("validation has no graphs, and decisions need some; give normal ones that do not train")
        stderr.print(
            f"{len(self.split_.train)} graphs for training, {len(self.split_.validation)} for calibration; "
            f"seed {self.seed}"
        )
        self.encoder_ = Encoder.of(graphs[self.split_.train], self.walks)
        packed = self.encoder_.encode(graphs)
        self._train(packed, checkpoint, resume)
        normal = [latents(member, packed, self.split_.train) for member in self.members_]
        self.scorers_ = [GraphScorer(self.dim).fit(z) for z in normal]
        self._calibrate(packed)
        return self

    def _check_settings(self) -> None:
        """Refuse what cannot work before any work is done."""
        ConformalCalibrator(self.false_alarm_rate)
        check_settings({**self.get_params(deep=False), "epochs": EPOCHS if self.epochs is None else self.epochs})
        model_config(Encoder((), (), 0, 0, self.walks), 1, self.dim, self.blocks)

    def _train(self, packed: PackedGraphs, checkpoint: str | PathLike[str] | None, resume: bool) -> None:
        graphs = Graphs(packed, self.split_.train, self.split_.validation, default_device())
        columns = self.encoder_.features + self.encoder_.positions
        config = model_config(self.encoder_, columns, self.dim, self.blocks)
        epochs = self.epochs or max(EPOCHS, math.ceil(STEPS / math.ceil(len(graphs.train) / self.batch_size)))
        seeds = member_seeds(self.seed, self.members)
        schedules = [make_schedule(epochs, self.lr, self.batch_size, seed) for seed in seeds]
        train = partial(train_member, graphs, None, config)
        self.members_, self.history_ = train_members(train, schedules, checkpoint, resume)

    def _calibrate(self, packed: PackedGraphs) -> None:
        self.calibrator_ = ConformalCalibrator(self.false_alarm_rate).fit(
            mean_scores(self.members_, self.scorers_, packed, self.split_.validation)
        )
        self.threshold_ = self.calibrator_.threshold
        if self.calibrator_.warning:
            stderr.print(self.calibrator_.warning)

    # --- scoring -----------------------------------------------------------------------------------------------

    def decision_function(self, graphs: Any) -> NDArray[np.float64]:
        """Scores ``(G,)``, higher is more anomalous."""
        self._check_fitted()
        packed = self.encoder_.encode(as_graph_set(graphs, carried=self.encoder_.carried))
        return mean_scores(self.members_, self.scorers_, packed, torch.arange(len(packed)))

    def predict(self, graphs: Any) -> NDArray[np.int64]:
        """Decisions ``(G,)``: 1 anomalous, 0 normal, at the calibrated false-alarm rate."""
        scores = self.decision_function(graphs)  # which sees that there is a calibrator
        return self.calibrator_.is_anomalous(scores).astype(np.int64)

    def p_values(self, graphs: Any) -> NDArray[np.float64]:
        """Conformal p-values ``(G,)``: how often a normal graph scores as high, at most; lower is more anomalous."""
        scores = self.decision_function(graphs)
        return self.calibrator_.p_value(scores)

    def score(self, graphs: Any, y: ArrayLike) -> float:
        """Area under the ROC curve against ``y (G,)``, 1 for anomalous and 0 for normal."""
        scores, truth = self.decision_function(graphs), np.asarray(y)
        if truth.shape != scores.shape or set(np.unique(truth).tolist()) != {0, 1}:
            raise InputError(f"y must be 0 or 1 for each of the {len(scores)} graphs, with some of both")
        return float(roc_auc_score(truth, scores))
