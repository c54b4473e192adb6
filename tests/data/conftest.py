"""Fixtures of what is fetched."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from local_server import serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder) as url:
        yield folder, url
