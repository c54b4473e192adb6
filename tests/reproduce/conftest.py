"""Rows run on miniatures of the published archives, in seconds."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("cli", "data", "data/sets", "data/graphs")]

from commands import TINY  # noqa: E402

from attractor.models import Selyne  # noqa: E402
from attractor.models.store import save_model  # noqa: E402
from attractor.reproduce.row import find_row  # noqa: E402
from attractor.reproduce.run import reproduce  # noqa: E402
from attractor.reproduce.wish import Wish  # noqa: E402


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> str:
    """A folder with a small encoder that nobody trained."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoder")
    save_model(Selyne(TINY), folder)
    return str(folder)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """The folder of the sets."""
    folder = tmp_path / "sets"
    folder.mkdir()
    return folder


@pytest.fixture
def measured(tmp_path: Path, sets: Path, one_thread: None) -> Callable[..., dict[str, Any]]:
    """Run a row with one seed and these settings; gives its file's content."""

    def run(name: str, variants: list[str] | None = None, **settings: Any) -> dict[str, Any]:
        return reproduce(find_row(name), sets, tmp_path / "out", Wish([3], variants, settings))

    return run


@pytest.fixture
def seeds_folder(golden_folder: Path) -> Path:
    """Return the folder of what was published, ``../shared/seeds`` seen from the repository."""
    folder = golden_folder.parent / "seeds"
    return folder if folder.is_dir() else pytest.skip(f"{folder} is absent; see Tests in CONTRIBUTING.md")
