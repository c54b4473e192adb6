import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attractor.data.images import UnreadableImage
from attractor.data.layouts import labelled_folder, read_mask
from attractor.errors import InputError


def write(path: Path, array: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 6), dtype=np.uint8) if array is None else array).save(path)
    return path


@pytest.fixture
def mvtec(tmp_path):
    """Two good images and three defects; one mask of each spelling and place, and one image without."""
    for name in ("good/0", "good/1", "crack/0", "crack/1", "hole/7", "hole/8"):
        write(tmp_path / "test" / f"{name}.png")
    for name in ("crack/0_mask", "crack/1", "7_mask"):
        write(tmp_path / "ground_truth" / f"{name}.png")
    write(tmp_path / "train" / "good" / "9.png")
    return tmp_path


@pytest.mark.parametrize("inner", ["", "test"])
def test_mvtec_with_masks(mvtec, inner):
    found = labelled_folder(mvtec / inner)
    assert found.categories == ["crack", "crack", "good", "good", "hole", "hole"]
    assert found.labels.tolist() == [1, 1, 0, 0, 1, 1] and found.labels.dtype == np.int64
    assert [Path(name).name for name in found.source.names] == [
        "0.png",
        "1.png",
        "0.png",
        "1.png",
        "7.png",
        "8.png",
    ]
    masks = [mask and mask.relative_to(mvtec / "ground_truth").as_posix() for mask in found.masks]
    assert masks == ["crack/0_mask.png", "crack/1.png", None, None, "7_mask.png", None]
    assert found.source.read(0).shape == (4, 6, 3)


def test_the_test_folder_can_be_the_working_directory(mvtec, monkeypatch):
    monkeypatch.chdir(mvtec / "test")
    assert sum(mask is not None for mask in labelled_folder(".").masks) == 3


def test_a_mask_that_fits_two_images_is_refused(tmp_path):
    for name in ("test/good/0", "test/crack/0", "test/hole/0", "ground_truth/0_mask"):
        write(tmp_path / f"{name}.png")
    with pytest.raises(InputError, match=r"0_mask\.png: fits 2 images"):
        labelled_folder(tmp_path)


@pytest.mark.parametrize("name", ["good", "Normal", "OK", "no_tumor", "notumor", "nominal", "HEALTHY"])
def test_plain_class_folders(tmp_path, name):
    write(tmp_path / name / "deep" / "a.png")
    write(tmp_path / "other" / "b.png")
    found = labelled_folder(tmp_path, channels=1)
    assert dict(zip(found.categories, found.labels.tolist(), strict=True)) == {name: 0, "other": 1}
    assert found.masks == [None, None] and found.source.read(0).shape == (4, 6, 1)


def test_normal_is_picked_by_name(tmp_path):
    for name in ("cat", "dog", "good"):
        write(tmp_path / name / "a.png")
    assert labelled_folder(tmp_path, normal="cat").labels.tolist() == [0, 1, 1]
    assert labelled_folder(tmp_path, normal="DOG").labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("classes", "normal", "message"),
    [
        ([], None, r"class folders \(none\)"),
        (["good"], None, "class folders good; one of normal and at least one"),
        (["cat", "dog"], None, "cat, dog, and none is named as normal; pick with normal=NAME"),
        (["good", "ok", "bad"], None, "bad, good, ok, and good and ok are named as normal; pick with"),
        (["good", "bad"], "fine", "bad, good, and none is fine; pick with"),
    ],
)
def test_unclear_classes_are_listed(tmp_path, classes, normal, message):
    for name in classes:
        write(tmp_path / name / "a.png")
    with pytest.raises(InputError, match=message):
        labelled_folder(tmp_path, normal=normal)


def test_missing_folder_and_loose_images(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        labelled_folder(tmp_path / "nowhere")
    write(tmp_path / "loose.png")
    with pytest.raises(InputError, match=r"loose\.png: an image outside the class folders"):
        labelled_folder(tmp_path)


@pytest.mark.parametrize("high", [1, 255, 65535])
def test_mask_pixels_above_zero_count(tmp_path, high):
    mask = np.zeros((4, 6), dtype=np.uint16 if high > 255 else np.uint8)
    mask[1, 2] = high
    got = read_mask(write(tmp_path / "m.png", mask), (12, 18))
    assert got.dtype == bool and got.shape == (12, 18)
    assert np.array_equal(got, np.kron(mask > 0, np.ones((3, 3), dtype=bool)))
    fine = np.zeros((12, 18), dtype=np.uint8)
    fine[4, 7] = 255
    assert np.argwhere(read_mask(write(tmp_path / "fine.png", fine), (4, 6))).tolist() == [[1, 2]]


def test_coloured_and_bilevel_masks(tmp_path):
    mask = np.eye(4, 6, dtype=bool)
    assert np.array_equal(read_mask(write(tmp_path / "1.png", mask), (4, 6)), mask)
    palette = Image.fromarray(~mask).convert("P")
    palette.putpalette([0, 0, 1] + [0] * 765)  # number 0 is the colour, and so dark that in grey it would be black
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(read_mask(tmp_path / "palette.png", (4, 6)), mask)
    red = np.zeros((4, 6, 4), dtype=np.uint8)
    red[mask, 0], red[..., 3] = 255, 255
    assert np.array_equal(read_mask(write(tmp_path / "red.png", red), (4, 6)), mask)
    with pytest.raises(UnreadableImage):
        read_mask(tmp_path / "gone.png", (4, 6))


def test_shared_magnetic_tiles(shared_data, tmp_path):
    with tarfile.open(shared_data / "magnetic-tile.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    found = labelled_folder(tmp_path / "magnetic-tile", channels=1)
    assert np.bincount(found.labels).tolist() == [191, 392]
    assert all((mask is None) == (label == 0) for mask, label in zip(found.masks, found.labels, strict=True))
    defect = found.labels.tolist().index(1)
    shape = found.source.read(defect).shape[:2]
    assert 0 < read_mask(found.masks[defect], shape).mean() < 0.5
