"""Fixtures every test may use: the shared data, the golden arrays, and the same random numbers each time."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from fake_hub import FakeHub, serving

SHARED = Path(__file__).resolve().parents[2] / "shared"

# A deadline tests the machine, not the code; and a failure must come back on the next run.
settings.register_profile("attractor", deadline=None, derandomize=True)
settings.load_profile("attractor")
torch.set_num_threads(os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def seed() -> int:
    """Seed every global generator; returns the seed."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  (scikit-learn draws from the global generator)
    torch.manual_seed(0)
    return 0


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread: in steps that are small threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub on this machine, with a cache of its own and nobody logged in."""
    from huggingface_hub import constants, file_download

    cache = tmp_path_factory.mktemp("hub")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving(FakeHub()) as server:
        changed = {"ENDPOINT": server.address, "HF_HUB_CACHE": str(cache), "HF_TOKEN_PATH": str(cache / "token")}
        template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
        changed["HUGGINGFACE_CO_URL_TEMPLATE"] = template
        monkeypatch.setattr(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)  # before 1.0
        for name, value in {**changed, "HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True}.items():
            monkeypatch.setattr(constants, name, value)
        yield server


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of real data: ``$ATTRACTOR_DATA``, or ``../shared/data`` seen from the repository."""
    return _present(Path(os.environ.get("ATTRACTOR_DATA", SHARED / "data")))


@pytest.fixture
def golden_folder() -> Path:
    """Return the folder of golden arrays, ``../shared/golden`` seen from the repository."""
    return _present(SHARED / "golden")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], dict[str, np.ndarray]]:
    """Return a reader of golden arrays: ``golden("e_selyne_tiny_f64")["x"]``."""

    def read(name: str) -> dict[str, np.ndarray]:
        with np.load(request.getfixturevalue("golden_folder") / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return read


def _present(folder: Path) -> Path:
    """Skip the test where the folder is absent; fail instead on a CI machine that has ``../shared``."""
    if folder.is_dir():
        return folder
    reason = f"{folder} is absent; see Tests in CONTRIBUTING.md"
    if os.environ.get("CI") and SHARED.exists():
        pytest.fail(reason)
    pytest.skip(reason)
