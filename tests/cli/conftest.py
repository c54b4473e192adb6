"""A detector small enough to fit in seconds."""

import pytest
import torch
from commands import TINY, run, write_images

import tu_writer
from attractor.models import Selyne
from attractor.models.store import save_model
from rings import rings_and_paths


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A folder with a random model."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    save_model(Selyne(TINY), folder)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """``train/good``, ``test/good`` and ``test/spot``."""
    root = tmp_path_factory.mktemp("pictures")
    write_images(root / "train" / "good", 24, 1)
    write_images(root / "test" / "good", 8, 2)
    write_images(root / "test" / "spot", 8, 3, spot=True)
    return root


@pytest.fixture(scope="session")
def rings(tmp_path_factory):
    """The archive of a TU set of rings and paths."""
    path = tmp_path_factory.mktemp("rings") / "RINGS.zip"
    return tu_writer.archive(path, tu_writer.texts(rings_and_paths()), "RINGS")


@pytest.fixture(scope="session")
def detector(weights, pictures, tmp_path_factory):
    """A fitted detector's folder."""
    folder = tmp_path_factory.mktemp("fitted") / "detector"
    done = run("detect", "fit", pictures / "train", "-o", folder, "--model", weights)
    assert done.returncode == 0, done.stderr
    return folder
