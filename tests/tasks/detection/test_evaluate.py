"""An evaluation: its decisions, what they were calibrated to, and the pictures worth showing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attractor.data.layouts import LabelledSource
from attractor.data.sources import as_source
from attractor.models import Selyne, SelyneConfig
from attractor.tasks import AnomalyDetector, evaluate_images
from attractor.tasks.detection.showing import MOST, SPREAD, Showing

CONFIG = SelyneConfig(image_size=(16, 16), patch_sizes=(4,), dim=12, latent=6, heads=3, depth=3, prototypes=2)


def labelled(normal: int, anomalous: int) -> LabelledSource:
    images = np.random.default_rng(1).integers(256, size=(normal + anomalous, 24, 24, 3), dtype=np.uint8)
    labels = np.repeat([0, 1], [normal, anomalous])
    return LabelledSource(as_source(images, 3), labels, [str(label) for label in labels], [None] * len(labels))


def test_every_image_that_a_gallery_names_is_among_those_shown() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=300).round(2), rng.integers(2, size=300)
    flagged = scores > 0.3
    showing = Showing.of(scores, labels, flagged)
    assert (scores[showing.highest] >= np.sort(scores)[-MOST]).all() and len(set(showing.highest)) == MOST
    for places, which, sign in (
        (showing.missed, ~flagged & (labels == 1), 1),
        (showing.alarms, flagged & (labels == 0), -1),
    ):
        assert len(places) == MOST and which[places].all()
        np.testing.assert_array_equal(scores[places], sign * np.sort(sign * scores[which])[:MOST])
    for label, places in enumerate(showing.spread):
        ranked = -np.sort(-scores[labels == label])
        np.testing.assert_array_equal(
            scores[places], ranked[np.linspace(0, len(ranked) - 1, SPREAD).round().astype(int)]
        )
    assert len(set(showing.places)) == len(showing.places)
    assert set(showing.places) >= {*showing.highest, *showing.missed, *showing.alarms, *showing.spread[0]}


def test_few_images_are_all_shown() -> None:
    showing = Showing.of(np.array([1.0, 3.0, 2.0]), np.array([0, 1, 0]), np.array([False, True, False]))
    assert (showing.highest, showing.missed, showing.alarms, showing.spread) == ([1, 2, 0], [], [], ([2, 0], [1]))


@pytest.mark.parametrize("tiles", [False, True])
def test_an_evaluation_says_by_what_and_at_which_rate(tiles: bool) -> None:
    images = np.random.default_rng(0).integers(256, size=(20, 24, 24, 3), dtype=np.uint8)
    detector = AnomalyDetector(Selyne(CONFIG).eval(), tiles=tiles, resolution=32, method="knn").fit(images)
    evaluation = evaluate_images(detector, labelled(6, 14), "noise", bootstrap=10)
    held_out = detector.split_["calibration"]
    assert evaluation.rate_in_force == 1 / (held_out + 1) and evaluation.false_alarm_rate == 0.01
    assert evaluation.summary()["false_alarm_rate_in_force"] == evaluation.rate_in_force
    assert evaluation.detector.startswith("knn of whole images") and ("tiles" in evaluation.detector) == tiles
    assert evaluation.heat_of == ("patches" if tiles else "places")
    assert [example.place for example in evaluation.examples] == evaluation.showing.places
    for example in evaluation.examples:
        assert example.score == evaluation.scores["knn"][example.place]
        assert example.label == evaluation.labels[example.place]
    np.testing.assert_array_equal(evaluation.flagged, detector.score_images(labelled(6, 14).source).anomalous)
    detector.set_params(false_alarm_rate=0.5)  # which decides nothing before it is calibrated
    assert evaluate_images(detector, labelled(6, 14), "", bootstrap=10, examples=False).false_alarm_rate == 0.01


def test_what_rounding_alone_lifts_above_the_threshold_is_flagged_nowhere() -> None:
    images = np.random.default_rng(0).integers(256, size=(20, 24, 24, 3), dtype=np.uint8)
    detector = AnomalyDetector(Selyne(CONFIG).eval(), method="knn").fit(images)
    truth = labelled(6, 14)
    detector.calibrators_["knn"].fit([detector.decision_function(truth.source).max() * (1 - 1e-6)])
    evaluation = evaluate_images(detector, truth, bootstrap=10)
    assert evaluation.scores["knn"].max() > evaluation.threshold
    assert not evaluation.flagged.any() and evaluation.summary()["recall"] == 0
    assert [example.place for example in evaluation.examples] == evaluation.showing.places


def test_a_folder_may_be_evaluated(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(256, size=(20, 24, 24, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        (tmp_path / "good").mkdir(exist_ok=True)
        (tmp_path / "odd").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / ("odd" if number % 4 == 0 else "good") / f"{number}.png")
    evaluation = evaluate_images(AnomalyDetector(Selyne(CONFIG).eval()).fit(images), str(tmp_path), bootstrap=10)
    assert evaluation.labels.sum() == 5 and evaluation.summary()["normal"] == 15
