"""Score a labelled set with a fitted detector: metrics by every method, decisions of one, pictures worth showing."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import torch

from attractor.data.batches import view_batches
from attractor.data.images import resize
from attractor.data.layouts import LabelledSource, labelled_folder, read_mask
from attractor.data.views import enlarge, shown_size, stitch
from attractor.errors import InputError
from attractor.scoring.metrics import image_metrics, pixel_metrics
from attractor.tasks.detection.detector import AnomalyDetector
from attractor.tasks.detection.evaluation import Evaluation, Example
from attractor.tasks.detection.scorer import shown
from attractor.tasks.detection.scores import ImageScores
from attractor.tasks.detection.showing import Showing


def evaluate_images(
    detector: AnomalyDetector,
    labelled: LabelledSource | str | PathLike[str],
    title: str = "",
    *,
    method: str | None = None,
    bootstrap: int = 1000,
    examples: bool = True,
) -> Evaluation:
    """Evaluate ``detector`` on labelled images; pixel metrics where there are masks, ``examples`` for a report.

    ``labelled`` may be a folder (see :func:`attractor.data.layouts.labelled_folder`). ``title`` says what is judged,
    and of which detector, if it has a name. Raises :class:`InputError` when all readable images are of one class.
    """
    if not isinstance(labelled, LabelledSource):
        labelled = labelled_folder(labelled)
    masked = any(mask is not None for mask in labelled.masks)
    result = detector.score_images(labelled.source, method=method, heats=masked)
    if not result.indices:
        raise InputError(f"none of the {len(labelled.source)} images can be read; the first: {result.unreadable[0]}")
    labels = labelled.labels[result.indices]
    metrics = {
        name: image_metrics(labels, scores, detector.calibrators_[name].is_anomalous(scores), bootstrap)
        for name, scores in result.scores.items()
    }
    pixels: dict[str, float] | None = None
    notes: list[str] = []
    if masked:
        try:
            pixels, notes = _pixels(result, labelled)
        except InputError as error:  # a bad mask must not cost the image metrics
            notes = [f"no pixel metrics: {error}"]
    calibrator = detector.calibrators_[result.method]
    showing = Showing.of(result.scores[result.method], labels, result.anomalous)
    if calibrator.warning:
        notes.append(calibrator.warning)
    return Evaluation(
        title=title,
        paths=result.names,
        labels=labels,
        categories=[labelled.categories[i] for i in result.indices],
        scores=result.scores,
        method=result.method,
        p_values=result.p_values,
        flagged=result.anomalous,
        threshold=calibrator.threshold,
        false_alarm_rate=calibrator.false_alarm_rate,
        rate_in_force=calibrator.achievable_rate,
        metrics=metrics,
        pixel_metrics=pixels,
        examples=[_example(detector, labelled, result, i) for i in showing.places] if examples else [],
        heat_of=shown({name: name for name in detector.heat_limits_}, result.method),
        heat_limits=result.heat_limits,
        detector=_described(detector, result.method),
        unreadable=[(error.path, error.reason) for error in result.unreadable],
        notes=notes,
    )


def _pixels(result: ImageScores, labelled: LabelledSource) -> tuple[dict[str, float] | None, list[str]]:
    """Pixel metrics over normal images and masked anomalies; anomalies without a mask are left out, and noted."""
    masks, heats, missing = [], [], 0
    for index, heat in zip(result.indices, result.heats, strict=True):
        path = labelled.masks[index]
        if path is None and labelled.labels[index]:
            missing += 1
            continue
        masks.append(np.zeros(heat.shape, bool) if path is None else read_mask(path, heat.shape))
        heats.append(heat)
    notes = [f"{missing} anomalous images have no mask and are not in the pixel metrics"] if missing else []
    return pixel_metrics(masks, heats), notes


def _described(detector: AnomalyDetector, method: str) -> str:
    """How it scores, and on what it was fitted and calibrated."""
    tiles = f" and overlapping tiles of them at up to {detector.resolution} pixels" if detector.tiles else ""
    fitting, calibration = detector.split_["fitting"], detector.split_["calibration"]
    return (
        f"{method} of whole images{tiles}, tuning {detector.tuning}; fitted on {fitting} normal images, "
        f"calibrated on {calibration} others"
    )


def _example(detector: AnomalyDetector, labelled: LabelledSource, result: ImageScores, place: int) -> Example:
    index = result.indices[place]
    original, reconstruction, heat = look(detector, labelled.source, index, result.method)
    mask = labelled.masks[index]
    return Example(
        place=place,
        path=result.names[place],
        label=int(labelled.labels[index]),
        score=float(result.scores[result.method][place]),
        p_value=float(result.p_values[place]),
        original=original,
        reconstruction=reconstruction,
        heat=heat,
        mask=None if mask is None else read_mask(mask, heat.shape),
    )


@torch.inference_mode()
def look(detector: AnomalyDetector, source: Any, index: int, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One image as a person sees it, its reconstruction, both uint8 ``(H, W, 3)``, and its heat map ``(H, W)``.

    The heat map is that of ``method`` where it scores places. The longer side is at most 512 pixels. Reconstructions
    of tiles are put together as their heat is.
    """
    scorer = detector.scorer_
    (canvases, views), *_ = view_batches(source.subset([index]), scorer.viewing, [])
    heat = shown(scorer(canvases, views)[1], method)[0]
    features = scorer.features(views)
    painted = scorer.model.denormalize(features.reconstruction[: len(canvases[0].origins)]).cpu()
    channels = [stitch(painted[:, c], canvases[0], scorer.viewing.size) for c in range(painted.shape[1])]
    reconstruction = (torch.stack(channels, dim=-1) * 255).round().byte().numpy()
    original = source.read(index)
    size = shown_size(*original.shape[:2])
    return _rgb(resize(original, size)), _rgb(resize(reconstruction, size)), enlarge(heat, size)


def _rgb(pixels: np.ndarray) -> np.ndarray:
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()
