"""``attractor export``: a saved detector as a file, told in words or as JSON; what cannot be is one line."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest
from commands import TINY, run, write_images

from attractor import AnomalyDetector
from attractor.models import Selyne


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    return AnomalyDetector(Selyne(TINY)).fit(write_images(folder / "good", 20, 0)).save(folder / "detector")


def test_a_saved_detector_becomes_a_file(detector: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "detector.onnx"
    done = run("export", detector, "-o", path, "--method", "knn", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["path"] == str(path) and told["notes"]["method"] == "knn" and told["difference"] < 1e-4
    assert [found.name for found in onnxruntime.InferenceSession(path).get_inputs()] == list(told["inputs"])


def test_what_cannot_be_exported_is_one_line(detector: Path, tmp_path: Path) -> None:
    for folder, method, message in [
        (detector, "damage", "tuning='damage'"),
        ("et-tiny", "knn", "no scores to choose from"),
        (tmp_path / "nothing", "knn", "nothing"),
    ]:
        done = run("export", folder, "-o", tmp_path / "file.onnx", "--method", method)
        assert done.returncode == 2 and len(done.stderr.splitlines()) <= 2 and message in done.stderr
    assert not list(tmp_path.iterdir())
