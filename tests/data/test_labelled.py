import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from attractor.data import labelled as module
from attractor.data.labelled import load_labelled
from attractor.errors import InputError


def flat(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((6, 6), level, dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


PLAIN = {
    "train/n2/b.png": flat(2),
    "train/n1/images/a.png": flat(1),
    "train/n1/n1_boxes.txt": b"a.png\t0\t0\t6\t6\n",
    "train/n3/.hidden.png": flat(9),
    "train/n3/c.png": flat(3),
    "val/images/v1.png": flat(3),
    "val/images/v0.png": flat(1),
    "val/val_annotations.txt": b"v0.png\tn1\t0\t0\t6\t6\nv1.png\tn3\t0\t0\t6\t6\n",
}


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def as_tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path / "set.tar", mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path / "set.tar"


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path / "set.zip"


@pytest.mark.parametrize("pack", [as_folder, as_tar, as_zip])
def test_folders_and_archives_load_alike(tmp_path, pack):
    root = pack(tmp_path, PLAIN)
    train = load_labelled(root, "train", size=(4, 4), channels=1)
    assert train.classes == ["n1", "n2", "n3"] and not train.unreadable
    assert train.images.shape == (3, 1, 4, 4) and train.images.dtype == torch.uint8
    assert train.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert train.labels.tolist() == [0, 1, 2] and train.labels.dtype == torch.int64
    val = load_labelled(root, "val", size=(4, 4), classes=train.classes)
    assert val.images[:, 0, 0, 0].tolist() == [1, 3] and val.labels.tolist() == [0, 2]
    assert val.images.shape == (2, 3, 4, 4)


def test_an_archive_may_wrap_its_files_in_a_folder(tmp_path):
    root = as_tar(tmp_path, {f"./wrapped/{name}": data for name, data in PLAIN.items()})
    assert len(load_labelled(root, "train", size=(4, 4)).labels) == 3


@pytest.mark.parametrize("pack", [as_folder, as_tar, as_zip])
def test_unreadable_images_are_named_and_left_out(tmp_path, pack):
    found = load_labelled(pack(tmp_path, {**PLAIN, "train/n1/bad.png": b"text"}), "train", size=(4, 4), channels=1)
    assert [Path(error.path).name for error in found.unreadable] == ["bad.png"]
    assert found.images[:, 0, 0, 0].tolist() == [1, 2, 3] and found.labels.tolist() == [0, 1, 2]


def test_links_and_pipes_in_an_archive_are_left_out_and_nothing_is_extracted(tmp_path):
    secret = as_folder(tmp_path, {"secret.png": flat(200)}) / "secret.png"
    path = as_tar(tmp_path, PLAIN, "w")
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"train/n1/odd{kind.decode()}.png")
            info.type, info.linkname = kind, str(secret)
            archive.addfile(info)
    before = sorted(tmp_path.rglob("*"))
    found = load_labelled(path, "train", size=(4, 4), channels=1)
    assert found.images[:, 0, 0, 0].tolist() == [1, 2, 3] and not found.unreadable
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("pack", [as_tar, as_zip])
def test_a_path_that_leads_out_of_the_archive_is_refused(tmp_path, pack):
    with pytest.raises(InputError, match=r"escape\.png: .* leads out"):
        load_labelled(pack(tmp_path, {**PLAIN, "train/n1/../../escape.png": flat(7)}), "train")


@pytest.mark.parametrize("pack", [as_tar, as_zip])
def test_an_oversized_member_is_refused_unread(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(module, "MAX_MEMBER", 1000)
    root = pack(tmp_path, {**PLAIN, "train/n1/bomb.png": bytes(1001)})
    with pytest.raises(InputError, match=r"bomb\.png: 1,001 bytes .* the limit is 1,000"):
        load_labelled(root, "train")


@pytest.mark.parametrize(
    ("files", "split", "message"),
    [
        (PLAIN, "test", "test"),
        ({"train/x.txt": b""}, "train", "no images under train/CLASS/"),
        ({"train/x.png": flat(1)}, "train", r"train/x\.png: an image outside the class folders"),
        ({**PLAIN, "val/images/v2.png": flat(1)}, "val", r"v2\.png: not in val_annotations\.txt"),
    ],
)
@pytest.mark.parametrize("pack", [as_folder, as_tar])
def test_bad_layouts_are_named(tmp_path, pack, files, split, message):
    with pytest.raises(InputError, match=message):
        load_labelled(pack(tmp_path, files), split)


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(range(256)) * 20, b"\x1f\x8b" + bytes(600), b"PK\3\4"])
@pytest.mark.parametrize("name", ["set.tar", "set.tar.gz", "set.zip"])
def test_what_is_no_archive_is_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^.*{name}: not a readable \.tar or \.zip archive \(.*\); copy it again$"):
        load_labelled(tmp_path / name, "train")


MANY = {f"train/n{i % 3}/{i}.png": flat(i) for i in range(9)}


def loaded(path: Path) -> int:
    """How many images there are; 0 where the archive is refused, in one line."""
    try:
        found = load_labelled(path, "train", size=(4, 4))
    except InputError as error:
        assert "\n" not in str(error) and "copy it again" in str(error)
        return 0
    return len(found.labels) + len(found.unreadable)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_of_a_truncated_archive_all_is_loaded_or_nothing(tmp_path, mode):
    path = as_zip(tmp_path, MANY) if mode == "zip" else as_tar(tmp_path, MANY, mode)
    whole = path.read_bytes()
    counts = []
    for length in range(0, len(whole), 97 if mode != "w" else 128):  # headers are at multiples of 512
        path.write_bytes(whole[:length])
        counts.append(loaded(path))
    assert set(counts) <= {0, len(MANY)} and counts[len(counts) // 2] == 0
    path.write_bytes(whole)
    assert loaded(path) == len(MANY)


def test_of_a_damaged_tar_no_image_is_lost_unsaid(tmp_path):
    path = as_tar(tmp_path, MANY, "w")
    whole = path.read_bytes()
    for begin in range(0, 9 * 1024, 128):
        path.write_bytes(whole[:begin] + b"\xa5" * 128 + whole[begin + 128 :])
        assert loaded(path) in (0, len(MANY))


def test_a_table_that_is_no_text_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^val_annotations\.txt is not UTF-8 text .*; copy it again$"):
        load_labelled(as_tar(tmp_path, {**PLAIN, "val/val_annotations.txt": b"\xff\tn1"}), "val")


def test_bad_roots_and_unknown_classes(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder or archive"):
        load_labelled(tmp_path / "nowhere", "train")
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(InputError, match=r"text\.tar: not a readable \.tar or \.zip"):
        load_labelled(tmp_path / "text.tar", "train")
    cut = as_tar(tmp_path, PLAIN)
    cut.write_bytes(cut.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"set\.tar: not a readable"):
        load_labelled(cut, "train")
    with pytest.raises(InputError, match="include n2"):
        load_labelled(as_folder(tmp_path, PLAIN), "train", classes=["n1", "n3"])


def test_shared_brain_images_load_from_their_archive(shared_data):
    found = load_labelled(shared_data / "brain-mri.tar", "test", channels=1)
    assert found.classes == ["glioma", "meningioma", "no_tumor", "pituitary"] and not found.unreadable
    assert found.labels.bincount().tolist() == [299, 301, 381, 300]
    assert found.images.shape == (1281, 1, 64, 64) and found.images.float().std() > 10
