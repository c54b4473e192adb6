"""Fixtures of what is fetched: no test asks a server that is not on this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_server import NOWHERE, serving

from attractor.data import downloads
from attractor.data.graphs import fraud, named_sets, superpixels
from attractor.data.sets import cifar10, stl10, tiny_imagenet


@pytest.fixture(autouse=True)
def sets_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Says at which address all published sets are handed out; until it is called, nowhere."""
    monkeypatch.delenv(downloads.MIRROR, raising=False)

    def hand_out(url: str) -> None:
        for module in (fraud, named_sets, superpixels, cifar10, stl10, tiny_imagenet):
            monkeypatch.setattr(module, "BASE", url)

    hand_out(NOWHERE)
    return hand_out


@pytest.fixture
def served(tmp_path: Path, sets_from: Callable[[str], None]) -> Iterator[tuple[Path, str]]:
    """A folder, and the address it is served at, where the published sets are handed out now."""
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder) as url:
        sets_from(url)
        yield folder, url
