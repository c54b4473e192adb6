import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from attractor.data import textures
from attractor.data.textures import CALIBRATION, DAMAGED, DAMAGES, GOOD, SIDE, TRAIN, write_textures
from attractor.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_textures(tmp_path_factory.mktemp("textures"), seed=0)


def read(folder: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(p)) for p in sorted(folder.iterdir())])


def test_layout_is_that_of_mvtec(folder: Path) -> None:
    assert read(folder / "train" / "good").shape == (TRAIN, SIDE, SIDE)
    assert read(folder / "calibration").shape == (CALIBRATION, SIDE, SIDE)
    assert read(folder / "test" / "good").shape == (GOOD, SIDE, SIDE)
    assert {p.name for p in (folder / "test").iterdir()} == {"good", *DAMAGES}
    for kind in DAMAGES:
        stems = [p.stem for p in sorted((folder / "test" / kind).iterdir())]
        assert len(stems) == DAMAGED
        assert [p.name for p in sorted((folder / "ground_truth" / kind).iterdir())] == [
            f"{stem}_mask.png" for stem in stems
        ]
    assert {p.suffix for p in folder.rglob("*.*")} == {".png"}


@pytest.mark.parametrize("kind", DAMAGES)
def test_masks_are_binary_and_local(folder: Path, kind: str) -> None:
    masks = read(folder / "ground_truth" / kind)
    assert set(np.unique(masks)) == {0, 255}
    area = (masks > 0).mean((1, 2))
    assert area.min() > 0.005 and area.max() < 0.25


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_where_its_mask_says(kind: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        whole = textures._crop(textures._photograph("gravel"), rng)
        damaged, mask = DAMAGES[kind](whole, rng)
        change = np.abs(damaged - whole)
        assert change[mask].mean() > 0.03
        assert change[~binary_dilation(mask, iterations=16)].max() < 1 / 255


def test_fitting_calibration_and_test_share_no_pixel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = np.block(
        [[np.full((256, 256), 0.25), np.full((256, 256), 0.5)], [np.full((256, 256), 0.25), np.ones((256, 256))]]
    )
    monkeypatch.setattr(textures, "_photograph", lambda name: parts)
    write_textures(tmp_path)
    assert read(tmp_path / "train" / "good").max() < 80 < read(tmp_path / "calibration").min()
    assert read(tmp_path / "calibration").max() < 160 < read(tmp_path / "test" / "good").min()


def test_same_seed_same_files(folder: Path, tmp_path: Path) -> None:
    again = write_textures(tmp_path / "again", seed=0)
    other = write_textures(tmp_path / "other", seed=1)
    files = sorted(p.relative_to(folder) for p in folder.rglob("*.png"))
    assert all((again / f).read_bytes() == (folder / f).read_bytes() for f in files)
    assert all((other / f).read_bytes() != (folder / f).read_bytes() for f in files)


def test_pixels_alone_do_not_solve_it(folder: Path) -> None:
    def thumbnails(pictures: np.ndarray) -> np.ndarray:
        return pictures.reshape(len(pictures), 32, 3, 32, 3).mean((2, 4)).reshape(len(pictures), -1)

    train, good = read(folder / "train" / "good"), read(folder / "test" / "good")
    damaged = np.concatenate([read(folder / "test" / kind) for kind in DAMAGES])
    neighbours = NearestNeighbors(n_neighbors=5).fit(thumbnails(train))
    scores = neighbours.kneighbors(thumbnails(np.concatenate([good, damaged])))[0].mean(1)
    assert roc_auc_score(np.repeat([0, 1], [len(good), len(damaged)]), scores) < 0.7


def test_without_scikit_image_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    textures._photograph.cache_clear()
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(InputError, match=r"pip install 'attractor\[demo\]'"):
        write_textures(tmp_path)
