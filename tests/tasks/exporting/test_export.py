"""Exported files: the scores, decisions and pictures of what they were made from, computed by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from attractor import AnomalyDetector, Inpainter, NodeAnomalyDetector, export_onnx
from attractor.data.batches import view_batches
from attractor.data.sources import as_source
from attractor.dynamics import Fixed
from attractor.errors import InputError
from attractor.models import ImageET, ImageETConfig, Selyne, SelyneConfig
from attractor.tasks.exporting.images import WholeImages

SELYNE = SelyneConfig(image_size=(16, 16), patch_sizes=(4,), dim=12, latent=6, heads=3, depth=1, prototypes=2)
ET = ImageETConfig(image_size=(16, 16), patch=4, dim=16, heads=2, head_dim=8, memories=16, steps=1)


def pictures(count: int, *size: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(256, size=(count, *size, 3), dtype=np.uint8)


def fitted(*size: int, **settings: Any) -> AnomalyDetector:
    torch.manual_seed(0)
    detector = AnomalyDetector(Selyne(SELYNE), tuning="damage", epochs=1, false_alarm_rate=0.1, **settings)
    return detector.fit(pictures(40, *size))


@pytest.fixture(scope="module")
def whole() -> AnomalyDetector:
    return fitted(16, 16)


@pytest.fixture(scope="module")
def tiled() -> AnomalyDetector:
    return fitted(24, 40, tiles=True)


def odd_and_even(count: int, *size: int) -> NDArray[np.uint8]:
    """Pictures like those fitted, and as many far darker ones."""
    usual = pictures(count, *size, seed=1)
    return np.concatenate([usual, usual // 8])


@pytest.mark.parametrize("method", ["combined", "places", "patches", "damage", "knn", "free_energy", "reconstruction"])
def test_a_portable_detector_is_the_detector(whole: AnomalyDetector, method: str) -> None:
    images = odd_and_even(6, 16, 16)
    expected = whole.score_images(images, method=method)
    with torch.no_grad():
        score, p_value, anomalous, heat = WholeImages(whole, method)(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(score, expected.scores[method], rtol=1e-5)
    assert np.array_equal(p_value, expected.p_values) and np.array_equal(anomalous, expected.anomalous)
    heats = whole.scorer_(*next(view_batches(as_source(images, 3), whole.scorer_.viewing, [])))[1]
    local = method if method in heats else "damage"
    torch.testing.assert_close(heat, torch.stack(heats[local]), rtol=1e-4, atol=1e-5)


def test_a_file_decides_as_the_detector(whole: AnomalyDetector, tmp_path: Path) -> None:
    exported = export_onnx(whole, tmp_path / "whole.onnx")
    assert exported.inputs == {"images": "uint8 (images, 3, 16, 16)"} and exported.difference < 1e-4
    session = onnxruntime.InferenceSession(exported.path)
    assert (
        [output.name for output in session.get_outputs()]
        == exported.outputs
        == ["score", "p_value", "anomalous", "heat"]
    )
    assert session.get_modelmeta().custom_metadata_map["method"] == "combined"
    assert 0 < whole.predict(odd_and_even(6, 16, 16)).sum() < 12  # both decisions are met
    for images in (odd_and_even(6, 16, 16), pictures(1, 16, 16, seed=2)):
        expected = whole.score_images(images)
        score, p_value, anomalous = session.run(exported.outputs[:3], {"images": images.transpose(0, 3, 1, 2)})
        np.testing.assert_allclose(score, expected.scores["combined"], rtol=1e-4)
        assert np.array_equal(p_value, expected.p_values) and np.array_equal(anomalous, expected.anomalous)


def test_a_file_takes_any_number_of_tiles(tiled: AnomalyDetector, tmp_path: Path) -> None:
    exported = export_onnx(tiled, tmp_path / "tiled.onnx")
    session = onnxruntime.InferenceSession(exported.path)
    for size in ((24, 40), (16, 16), (48, 33)):
        images = pictures(1, *size, seed=3)
        expected = tiled.score_images(images)
        _, views = next(view_batches(as_source(images, 3), tiled.scorer_.viewing, []))
        score, p_value, _ = session.run(
            exported.outputs[:3], {"tiles": views[:-1].numpy(), "overview": views[-1:].numpy()}
        )
        np.testing.assert_allclose(score, expected.scores["combined"], rtol=1e-4)
        assert np.array_equal(p_value, expected.p_values)


def test_a_file_paints_as_the_inpainter(tmp_path: Path) -> None:
    torch.manual_seed(0)
    painter = Inpainter(ImageET(ET), steps=2)
    exported = export_onnx(painter, tmp_path / "painter.onnx")
    assert exported.notes["steps"] == "2"
    images, hidden = torch.rand(3, 3, 16, 16), torch.zeros(3, 16, 16, dtype=torch.bool)
    hidden[0, 2:9, 3:8] = hidden[1, :8] = hidden[2, -6:, :9] = True
    session = onnxruntime.InferenceSession(exported.path)
    (filled,) = session.run(None, {"images": images.numpy(), "hidden": hidden.numpy()})
    torch.testing.assert_close(torch.from_numpy(filled), painter.transform(images, hidden), rtol=1e-4, atol=1e-5)
    visible = ~hidden[:, None].expand_as(images).numpy()
    assert np.array_equal(filled[visible], images.numpy()[visible])


def test_what_cannot_be_exported_is_told_before_any_work(tiled: AnomalyDetector, tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    painter = ImageET(ET)
    for thing, method, message in [
        (AnomalyDetector(), None, "not fitted"),
        (tiled, "patches", "'patches' lays the tiles together"),
        (tiled, "nonsense", "no score named 'nonsense'"),
        (painter, "knn", "no scores to choose from"),
        (Inpainter(painter, rule="guaranteed"), None, "rule='fixed'"),
        (Inpainter(painter, rule=Fixed(noise=0.1)), None, "without noise"),
        (NodeAnomalyDetector(), None, "NodeAnomalyDetector cannot be exported"),
        ("selyne-tiny", None, "Selyne cannot be exported"),
    ]:
        with pytest.raises(InputError, match=message):
            export_onnx(thing, path, method=method)
    assert not path.exists()
