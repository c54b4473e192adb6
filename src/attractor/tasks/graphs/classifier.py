"""Classes of whole graphs: Energy Transformers on their edges, from molecules to proteins."""

from __future__ import annotations

from functools import partial
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor

from attractor.console import stderr
from attractor.data.graphs.packed import Encoder, PackedGraphs
from attractor.data.graphs.set_reading import as_graph_set
from attractor.errors import InputError
from attractor.models import GraphET
from attractor.models.device import default_device
from attractor.tasks.graphs.fitting import make_schedule, model_config, train_member
from attractor.tasks.graphs.saved import as_array, load_classifier, save_classifier
from attractor.tasks.graphs.split import resolve_split
from attractor.tasks.members import check_settings, member_seeds, train_members
from attractor.tasks.saving import Saved, whole_or_not_at_all
from attractor.training.graphs import Graphs, batches
from attractor.training.loop import History


class GraphClassifier(Saved, ClassifierMixin, BaseEstimator):
    """Tells the class of whole graphs by Energy Transformers on their edges, with a reader that sees all nodes.

    Graphs are whatever :func:`attractor.data.graphs.set_reading.as_graph_set` reads: TU archives and folders, PyG
    datasets, lists of NetworkX graphs, a :class:`GraphSet`. Labels and attributes of nodes and of edges are used where
    there are any. Graphs may be of any size; what a fit or a prediction costs is the nodes and edges that there are.

    ``dim``, ``blocks``: width of the tokens and energies in a row. ``epochs``, ``lr`` (its peak), ``batch_size``: of
    training. ``members``: networks, started independently, whose probabilities are averaged. ``walks``: steps of the
    random walks that tell nodes and edges apart. ``eigenvectors``: of the Laplacian, as published, in place of none;
    with any, the answer depends on how nodes are numbered. ``seed``: of the held-out graphs and of training.

    Nothing happens before :meth:`fit`. Fitted attributes: ``classes_`` (as the graphs name them), ``members_``,
    ``encoder_`` (labels and attributes that the networks know), ``split_`` (numbers of the graphs that train and
    validate), ``history_`` (a row an epoch and member; not saved).
    """

    _write, _read = save_classifier, classmethod(load_classifier)

    def __init__(
        self,
        *,
        dim: int = 64,
        blocks: int = 4,
        epochs: int = 60,
        lr: float = 4e-3,
        batch_size: int = 64,
        members: int = 1,
        walks: int = 16,
        eigenvectors: int = 0,
        seed: int = 0,
    ):
        self.dim = dim
        self.blocks = blocks
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.members = members
        self.walks = walks
        self.eigenvectors = eigenvectors
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
    ) -> GraphClassifier:
        """Learn the classes ``y (G,)``, by default the graphs' own.

        ``train``, ``validation``: bool ``(G,)`` or numbers of graphs; without ``validation`` a tenth, stratified, of
        those that train is held out for it. Validation chooses the epoch; where nothing validates it is the last.
        ``checkpoint`` is a folder in which training is checkpointed and from which ``resume`` continues. Raises
        :class:`InputError` on what cannot be learned from.
        """
        self._check_settings()
        graphs = as_graph_set(graphs, y)
        if graphs.y is None:
            raise InputError(f"{graphs.name} has no classes; give them as y")
        self.split_ = resolve_split(len(graphs), graphs.y.codes, train, validation, self.seed)
        classes = graphs.y[self.split_.train].occurring()
        self.classes_ = as_array(classes)
        codes = graphs.y.among(classes)
        stderr.print(
            f"{len(self.split_.train)} graphs for training, {len(self.split_.validation)} for validation, "
            f"{len(self.classes_)} classes; seed {self.seed}"
        )
        self.encoder_ = Encoder.of(graphs[self.split_.train], self.walks, self.eigenvectors)
        packed = self.encoder_.encode(graphs)
        self.members_, self.history_ = self._train(packed, codes, checkpoint, resume)
        return self

    def _check_settings(self) -> None:
        """Refuse what cannot work before any work is done."""
        check_settings(self.get_params(deep=False))
        model_config(Encoder((), (), 0, 0, self.walks, self.eigenvectors), 2, self.dim, self.blocks)

    def _train(
        self, packed: PackedGraphs, y: Tensor, checkpoint: str | PathLike[str] | None, resume: bool
    ) -> tuple[list[GraphET], History]:
        graphs = Graphs(packed, self.split_.train, self.split_.validation, default_device())
        config = model_config(self.encoder_, len(self.classes_), self.dim, self.blocks)
        seeds = member_seeds(self.seed, self.members)
        schedules = [make_schedule(self.epochs, self.lr, self.batch_size, seed) for seed in seeds]
        return train_members(partial(train_member, graphs, y, config), schedules, checkpoint, resume)

    # --- predicting --------------------------------------------------------------------------------------------

    @torch.no_grad()
    def predict_proba(self, graphs: Any) -> NDArray[np.float64]:
        """The probability of every class, in the order of ``classes_``, ``(G, C)``."""
        self._check_fitted()
        packed = self.encoder_.encode(as_graph_set(graphs, carried=self.encoder_.carried))
        parts = []
        for batch in batches(packed, torch.arange(len(packed)), default_device()):
            p = [member(batch).double().softmax(dim=1) for member in self.members_]
            parts.append(torch.stack(p).mean(dim=0).cpu())
        found = torch.cat(parts)
        if not found.isfinite().all():
            raise InputError("some probabilities are not numbers; the classifier is broken: fit again")
        return found.numpy()

    def predict(self, graphs: Any) -> NDArray[Any]:
        """The most probable class of every graph, as ``classes_`` names it, ``(G,)``."""
        best = self.predict_proba(graphs).argmax(axis=1)
        return self.classes_[best]

    def score(self, graphs: Any, y: Any = None) -> float:
        """Accuracy on graphs whose class is known, by ``y (G,)`` or by the graphs' own."""
        self._check_fitted()
        graphs = as_graph_set(graphs, y, carried=self.encoder_.carried)
        known = torch.zeros(0) if graphs.y is None else graphs.y.codes >= 0
        if graphs.y is None or not known.any():
            raise InputError(f"{graphs.name} has no classes to compare with; give them as y")
        found = self.predict_proba(graphs).argmax(axis=1)
        right = found == graphs.y.among(self.classes_.tolist()).numpy()
        return float(right[known.numpy()].mean())
