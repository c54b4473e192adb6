"""Anomaly detection in images: learn what is normal from normal images alone, then score, decide and explain."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score
from torch import Tensor

from attractor.console import stderr
from attractor.data.batches import view_batches_with_progress
from attractor.data.images import UnreadableImage
from attractor.data.sources import ImageSource, as_source
from attractor.data.views import Viewing, enlarge, shown_size
from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig
from attractor.models.store import model_folder
from attractor.scoring.background import Background, load_background
from attractor.scoring.conformal import ConformalCalibrator
from attractor.scoring.methods import check_method
from attractor.tasks import settings
from attractor.tasks.detection.calibration import calibrated, digests
from attractor.tasks.detection.saved import load_detector, save_detector
from attractor.tasks.detection.scorer import ImageScorer, joined, shown
from attractor.tasks.detection.scores import ImageScores
from attractor.tasks.detection.split import SMALLEST, resolve_split
from attractor.tasks.detection.tuning import TUNINGS, tune
from attractor.tasks.saving import Saved, whole_or_not_at_all
from attractor.tasks.starting import starting_model
from attractor.training.seeding import seeded


class AnomalyDetector(Saved, BaseEstimator):
    """Finds the odd images: a SELYNE encoder, scores fitted on its features, decisions at a false-alarm rate.

    ``model``: a shipped name (``"selyne-tiny"``), a folder that ``attractor pretrain`` wrote, or a
    :class:`~attractor.models.Selyne`; with ``pretrained=False`` a named model starts from random weights.
    ``method``: the score that decides, ``"combined"`` or one of :data:`attractor.scoring.methods.METHODS`; the others
    are kept beside it. ``tiles``: look at overlapping tiles of images up to ``resolution`` pixels, for small defects,
    as well as at the whole image made small. ``mirrored``: fit the scores on every normal image mirrored left to right
    too, where a mirrored one is as normal.
    ``tuning``: ``"one-class"`` fine-tunes the encoder on the normal images as published; ``"damage"`` trains a small
    network beside it to find simulated damage, which offers the method of that name; ``epochs`` of it, by default its
    own number.
    ``false_alarm_rate``: share of normal images that may be flagged, promised for images exchangeable with those given;
    where these are near copies of one another, such as frames of one film, more of truly new ones are flagged.
    ``calibration``: share of the normal images kept from encoder and scores, to calibrate decisions; by default what
    the false-alarm rate needs, at least a fifth and at most a third. Images of your own choice calibrate by
    ``fit(calibrate_on=...)``, or later by :meth:`calibrate`.

    Nothing happens before :meth:`fit`. Of a loaded one ``model`` is the name it was fitted with, or what it holds where
    others would find nothing by that name. Fitted attributes: ``scorer_``, ``calibrators_``,
    ``heat_limits_``, ``split_``, ``unreadable_``, ``fitted_on_`` (digests of images).
    """

    _write, _read = save_detector, classmethod(load_detector)
    _free = ("method",)
    split_: dict[str, int]

    def __init__(
        self,
        model: str | PathLike[str] | Selyne = "selyne-tiny",
        *,
        method: str = "combined",
        tiles: bool = False,
        resolution: int = 256,
        mirrored: bool = False,
        tuning: str = "none",
        epochs: int | None = None,
        false_alarm_rate: float = 0.01,
        calibration: float | None = None,
        seed: int = 0,
        pretrained: bool = True,
    ):
        self.model = model
        self.method = method
        self.tiles = tiles
        self.resolution = resolution
        self.mirrored = mirrored
        self.tuning = tuning
        self.epochs = epochs
        self.false_alarm_rate = false_alarm_rate
        self.calibration = calibration
        self.seed = seed
        self.pretrained = pretrained

    # --- fitting -----------------------------------------------------------------------------------------------

    @whole_or_not_at_all
    def fit(
        self,
        images: Any,
        y: Any = None,
        *,
        calibrate_on: Any = None,
        checkpoint: str | PathLike[str] | None = None,
        resume: bool = False,
    ) -> AnomalyDetector:
        """Learn from normal images: a folder, paths, an array, a tensor (see :func:`attractor.data.sources.as_source`).

        ``calibrate_on``: other normal images that decisions are calibrated on, instead of some of ``images`` kept for
        it (see :meth:`calibrate`). Unreadable files are left out and listed in ``unreadable_``. ``checkpoint`` is a
        folder in which fine-tuning is checkpointed and from which ``resume`` continues. Raises :class:`InputError` for
        fewer than 10 images.
        """
        self._check_settings()
        with seeded(int(self.seed)):  # random weights: of a model that is not pretrained, of the damage net
            scorer = self._scorer()
        check_method(self.method, scorer.names)
        channels = scorer.model.config.channels
        source = as_source(images, channels)
        others = None if calibrate_on is None else as_source(calibrate_on, channels)
        self.unreadable_: list[UnreadableImage] = []
        self.fitted_on_: set[str] = set()
        fitting, held_out = self._split(source, others)
        if self.tuning != "none":
            tune(scorer, fitting, self.tuning, self.epochs, self.seed, checkpoint, resume)
        for canvases, views in view_batches_with_progress(fitting, scorer.viewing, "fitting", self.unreadable_):
            scorer.update(canvases, views)
            self.fitted_on_.update(digests(canvases, views))
            if self.mirrored:
                scorer.update(canvases, views.flip(-1))
        readable = len(fitting) - len(self.unreadable_)
        if readable < SMALLEST // 2:
            raise InputError(f"{readable} readable images to fit on in {source.place}; {self.unreadable_[0]}")
        scorer.finish()
        self._calibrate(scorer.eval(), held_out)
        return self

    def calibrate(self, images: Any, y: Any = None) -> AnomalyDetector:
        """Decide by these normal images, none of which the detector was fitted on; scores stay as they are.

        The false-alarm rate then holds for new images exchangeable with these: of other patients, films or batches
        than those fitted on, if these are; of the camera that took these. Raises :class:`InputError` when none can be
        read.
        """
        self._check_fitted()
        self._check_settings()
        others = as_source(images, self.scorer_.model.config.channels)
        self.unreadable_ = []
        self._calibrate(self.scorer_, others)
        self.split_ = {**self.split_, "calibration": len(others)}
        self.fitted_with_ = {**self.fitted_with_, "false_alarm_rate": self.false_alarm_rate}
        return self

    def _check_settings(self) -> None:
        """Refuse what cannot work before any work is done."""
        ConformalCalibrator(self.false_alarm_rate)
        settings.one_of("tuning", self.tuning, ("none", *TUNINGS))
        settings.seed(self.seed)
        settings.whole_number("resolution", self.resolution, 1)
        for name in ("tiles", "mirrored", "pretrained"):
            settings.flag(name, getattr(self, name))
        if self.calibration is not None:
            settings.share("calibration", self.calibration, 0.9)
        if self.epochs is not None:
            settings.whole_number("epochs", self.epochs, 1)

    def _scorer(self) -> ImageScorer:
        model = starting_model(self.model, "selyne", self.pretrained)
        viewing = Viewing(model.config.image_size, self.tiles, self.resolution)
        ground = self._background(model.config)
        return ImageScorer(model, viewing, self.tuning == "damage", ground).to(model.cls_token.device)

    def _background(self, config: SelyneConfig) -> Background | None:
        """What came with the encoder, as long as that is left as it is; it is of whole images."""
        if isinstance(self.model, Selyne) or not self.pretrained or self.tuning == "one-class" or self.tiles:
            return None
        return load_background(model_folder(str(self.model)), config)

    def _split(self, source: ImageSource, others: ImageSource | None) -> tuple[ImageSource, ImageSource]:
        """Fitting and calibration images; how many there are of each is printed once."""
        fitting, held_out = resolve_split(source, others, self.false_alarm_rate, self.calibration, self.seed)
        self.split_ = {"fitting": len(fitting), "calibration": len(held_out), "seed": self.seed}
        total, how = len(fitting) + len(held_out), f"seed {self.seed}" if others is None else "as given"
        stderr.print(f"{total} normal images: {len(fitting)} for fitting, {len(held_out)} for calibration ({how})")
        return fitting, held_out

    def _calibrate(self, scorer: ImageScorer, held_out: ImageSource) -> None:
        """Decide by the held-out images, and say where that is worth less than it seems."""
        found = calibrated(scorer, held_out, self.false_alarm_rate, self.fitted_on_, self.unreadable_)
        self.scorer_, self.calibrators_, self.heat_limits_ = scorer, found.calibrators, found.heat_limits
        if found.copies:
            stderr.print(
                f"{found.copies} of {len(held_out)} calibration images are the same as images it was fitted on: unless "
                "new ones are too, more of them are flagged than asked for; calibrate on others"
            )
        if warning := self.calibrators_[self.method].warning:
            stderr.print(warning)

    # --- scoring -----------------------------------------------------------------------------------------------

    def score_images(self, images: Any, *, method: str | None = None, heats: bool = False) -> ImageScores:
        """Raw scores by every method, p-values and decisions of one; unreadable files are listed, never scored."""
        self._check_fitted()
        method = check_method(method or self.method, self.scorer_.names)
        source = as_source(images, self.scorer_.model.config.channels)
        unreadable: list[UnreadableImage] = []
        indices: list[int] = []
        batches: list[dict[str, Tensor]] = []
        maps: list[np.ndarray] = []
        for canvases, views in view_batches_with_progress(source, self.scorer_.viewing, "scoring", unreadable):
            batch, heat = self.scorer_(canvases, views, heats)
            batches.append(batch)
            indices += [canvas.index for canvas in canvases]
            if heats:
                maps += map(enlarge, shown(heat, method), [shown_size(*canvas.image_size) for canvas in canvases])
        scores = joined(batches, self.scorer_.names)
        calibrator = self.calibrators_[method]
        return ImageScores(
            names=[source.names[i] for i in indices],
            indices=indices,
            scores=scores,
            method=method,
            p_values=calibrator.p_value(scores[method]),
            anomalous=calibrator.is_anomalous(scores[method]),
            unreadable=unreadable,
            heats=maps,
            heat_limits=shown(self.heat_limits_, method),
        )

    def decision_function(self, images: Any) -> np.ndarray:
        """Raw scores ``(n,)`` of the chosen method, higher is more anomalous.

        Raises :class:`InputError` when an image cannot be read; :meth:`score_images` lists such files instead.
        """
        result = self._all_readable(images)
        return result.scores[result.method]

    def predict(self, images: Any) -> np.ndarray:
        """Decisions ``(n,)``: 1 anomalous, 0 normal, at the calibrated false-alarm rate."""
        return self._all_readable(images).anomalous.astype(np.int64)

    def score(self, images: Any, y: ArrayLike) -> float:
        """AUROC of the chosen method against ``y (n,)``, 1 for anomalous."""
        return float(roc_auc_score(y, self.decision_function(images)))

    def _all_readable(self, images: Any) -> ImageScores:
        result = self.score_images(images)
        if result.unreadable:
            count, total = len(result.unreadable), len(result.unreadable) + len(result.indices)
            first = f"the first {result.unreadable[0]} (score_images leaves such files out and lists them)"
            raise InputError(f"{count} of {total} images cannot be read, {first}")
        return result
