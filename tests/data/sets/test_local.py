"""Sets that lie in a folder: as they are, as an archive, in the user's cache, or not at all."""

from pathlib import Path

import pooch
import pytest
from miniatures import as_folder, as_tar

from attractor.data.sets.local import class_folder, folder_by_hand, local_folder
from attractor.errors import InputError

FILES = {"mine/train/a/1.png": b"1", "mine/test/a/2.png": b"2"}


def test_the_folder_stays_when_its_archive_goes(tmp_path: Path) -> None:
    assert local_folder("mine", tmp_path) is None
    as_tar(tmp_path / "mine.tar.gz", FILES)
    assert local_folder("mine", tmp_path) == tmp_path / "mine"
    assert (tmp_path / "mine/train/a/1.png").read_bytes() == b"1"
    (tmp_path / "mine.tar.gz").unlink()
    assert local_folder("mine", tmp_path) == tmp_path / "mine"


def test_a_read_only_folder_is_unpacked_into_the_cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    roots = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        as_tar(folder / "mine.tar", {**FILES, "mine/who": name.encode()})
        folder.chmod(0o555)
        roots.append(local_folder("mine", folder))
        assert [path.name for path in folder.iterdir()] == ["mine.tar"]
        folder.chmod(0o755)
    assert [(root / "who").read_text() for root in roots] == ["one", "two"]
    assert all(root.parent == tmp_path / "cache" / "attractor" for root in roots)


def test_an_archive_that_has_changed_is_unpacked_anew(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    folder = tmp_path / "sets"
    folder.mkdir()
    as_tar(folder / "mine.tar", {**FILES, "mine/who": b"old"})
    assert (local_folder("mine", folder) / "who").read_bytes() == b"old"
    as_tar(folder / "mine.tar", {**FILES, "mine/who": b"new"})
    folder.chmod(0o555)
    root = local_folder("mine", folder)
    folder.chmod(0o755)
    assert (root / "who").read_bytes() == b"new" and root.parent == tmp_path / "cache" / "attractor"
    assert (folder / "mine/who").read_bytes() == b"old"
    assert local_folder("mine", folder) == folder / "mine"
    assert (folder / "mine/who").read_bytes() == b"new"
    folder.chmod(0o555)
    assert local_folder("mine", folder) == folder / "mine"
    folder.chmod(0o755)


def test_a_folder_of_the_users_own_comes_before_an_archive(tmp_path: Path) -> None:
    as_tar(tmp_path / "mine.tar", FILES)
    as_folder(tmp_path, {"mine/own": b""})
    assert [path.name for path in local_folder("mine", tmp_path).iterdir()] == ["own"]


def test_what_is_missing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"/mine is missing; put it there$"):
        folder_by_hand("mine", tmp_path, "put it there")


def test_class_folders_at_any_depth(tmp_path: Path) -> None:
    places = ("x/train/y/a/1", "__MACOSX/x/train/y/a/2", ".old/train/a/3", "x/test/a/4")
    root = as_folder(tmp_path / "mine", dict.fromkeys(places, b""))
    assert class_folder(root, "train", "a") == root / "x/train/y/a"
    with pytest.raises(InputError, match=f"^{root} holds 0 folders train/b, not one"):
        class_folder(root, "train", "b")
    as_folder(root, {"other/train/a/5": b""})
    with pytest.raises(InputError, match=r"2 folders train/a, not one"):
        class_folder(root, "train", "a")
