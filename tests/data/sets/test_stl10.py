"""STL-10 as it is published, in miniature: pixels, labels, and every way in which the archive can be wrong."""

import hashlib
from pathlib import Path

import numpy as np
from local_server import NOWHERE, serving
from miniatures import CLASSES, as_tar, stl10_files

from attractor.data.sets import members
from attractor.data.sets import stl10 as module
from attractor.data.sets.stl10 import stl10
from refusals import refusal

LABELS = {"train": [2, 1, 3, 1], "test": [3, 3, 1]}
IMAGES = {s: np.random.default_rng(len(y)).integers(0, 256, (len(y), 96, 96, 3), np.uint8) for s, y in LABELS.items()}
FILES = stl10_files(IMAGES, LABELS)


def refused(folder: Path, *said: str) -> None:
    with refusal(*said):
        stl10(folder)


def archive(folder: Path, **changed: bytes | None) -> Path:
    """The archive with members changed, or left out where they are None."""
    files = {**FILES, **{f"stl10_binary/{name.replace('__', '.')}": content for name, content in changed.items()}}
    (folder / module.ARCHIVE).unlink(missing_ok=True)
    (folder / f"{module.ARCHIVE}.sha256").unlink(missing_ok=True)
    return as_tar(folder / module.ARCHIVE, {name: content for name, content in files.items() if content is not None})


def test_pixels_and_classes_are_those_of_the_archive(served, sets_from, tmp_path: Path, monkeypatch) -> None:
    folder, _ = served
    sent = archive(folder).read_bytes()
    monkeypatch.setattr(module, "CHECKSUM", "md5:" + hashlib.md5(sent).hexdigest())
    splits = stl10(tmp_path / "sets")
    for split, found in splits.items():
        assert found.categories == [CLASSES[y - 1] for y in LABELS[split]]
        assert all(np.array_equal(found.source.read(i), image) for i, image in enumerate(IMAGES[split]))
    assert list(splits) == ["train", "test"] and splits["test"].source.names[2] == "stl10/test/airplane/2"
    assert (tmp_path / "sets" / module.ARCHIVE).read_bytes() == sent
    sets_from(NOWHERE)
    assert len(stl10(tmp_path / "sets")["train"].categories) == 4


def test_another_archive_than_the_published_one_is_not_fetched(served, sets_from, tmp_path: Path) -> None:
    archive(served[0])
    refused(tmp_path / "sets", "another file, now deleted", module.CHECKSUM)
    with serving(None) as broken:
        sets_from(broken)
        refused(tmp_path / "sets", "cannot be fetched", "try again")


def test_members_that_are_cut_missing_or_do_not_fit(tmp_path: Path) -> None:
    archive(tmp_path, train_X__bin=FILES["stl10_binary/train_X.bin"][:-1])
    refused(tmp_path, "train_X.bin has 110,591 bytes, not a multiple of 27,648")
    archive(tmp_path, test_X__bin=FILES["stl10_binary/test_X.bin"][:27648])
    refused(tmp_path, "test_X.bin has 1 images, test_y.bin 3 labels")
    archive(tmp_path, train_X__bin=b"", train_y__bin=b"")
    refused(tmp_path, "train_X.bin has 0 bytes")
    archive(tmp_path, train_y__bin=None)
    refused(tmp_path, "holds no train_y.bin")
    for label in (0, 4):
        archive(tmp_path, test_y__bin=bytes([1, label, 2]))
        refused(tmp_path, f"test_y.bin has the label {label}, but there are 3 classes")


def test_members_that_would_fill_the_memory(tmp_path: Path, monkeypatch) -> None:
    archive(tmp_path)
    monkeypatch.setattr(members, "LIMIT", 100_000)
    refused(tmp_path, "train_X.bin claims", "refused")


def test_an_archive_that_is_cut(tmp_path: Path) -> None:
    path = archive(tmp_path)
    path.write_bytes(path.read_bytes()[:100_000])
    refused(tmp_path, module.ARCHIVE, "is damaged")
