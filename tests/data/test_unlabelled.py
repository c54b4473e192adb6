"""Images without labels: folders of any layout, splits of folders and archives, what cannot be read."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attractor.data.unlabelled import load_unlabelled
from attractor.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split, levels in (("train", (10, 20, 30)), ("val", (100, 110))):
        for i, level in enumerate(levels):
            path = tmp_path / "set" / split / f"c{i % 2}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((12, 9, 3), level, np.uint8)).save(path)
    return tmp_path / "set"


def levels(images: object) -> list[int]:
    return sorted(images[:, 0, 0, 0].tolist())  # type: ignore[index]


def test_a_folder_whole_or_one_split_of_it(root: Path) -> None:
    images, unreadable = load_unlabelled(root, size=(8, 8))
    assert images.shape == (5, 3, 8, 8) and unreadable == []
    assert levels(images) == [10, 20, 30, 100, 110]
    assert levels(load_unlabelled(root, "val", (8, 8))[0]) == [100, 110]
    assert levels(load_unlabelled(root, "train", (4, 4), 1, first=2)[0]) == [10, 30]  # by folder, then by name


def test_an_archive_has_splits(root: Path) -> None:
    archive = root.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(root, "set")
    assert levels(load_unlabelled(archive, "val", (8, 8))[0]) == [100, 110]
    with pytest.raises(InputError, match="split of an archive"):
        load_unlabelled(archive)


def test_what_cannot_be_read_is_listed_until_nothing_is_left(root: Path) -> None:
    (root / "val" / "c0" / "0.png").write_text("no picture")
    images, unreadable = load_unlabelled(root, "val", (8, 8))
    assert levels(images) == [110] and [Path(error.path).name for error in unreadable] == ["0.png"]
    with pytest.raises(InputError, match=r"none of the images can be read; the first: .*0\.png"):
        load_unlabelled(root / "val" / "c0")
    with pytest.raises(InputError, match="test: no such"):
        load_unlabelled(root, "test")
