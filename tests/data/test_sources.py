from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from attractor.data.images import UnreadableImage
from attractor.data.sources import as_source
from attractor.errors import InputError

RNG = np.random.default_rng(1)
STACK = RNG.integers(0, 256, (4, 6, 8, 3), dtype=np.uint8)


def write(path: Path, array: np.ndarray = STACK[0]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def relative(source, root: Path) -> list[str]:
    return [Path(name).relative_to(root).as_posix() for name in source.names]


def test_a_folder_is_searched_to_any_depth_and_sorted(tmp_path):
    for name in ("b/2.png", "b/10.PNG", "a/deep/er/x.bmp", "c.png", ".hidden.png", ".cache/y.png"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    source = as_source(tmp_path)
    assert relative(source, tmp_path) == ["a/deep/er/x.bmp", "b/10.PNG", "b/2.png", "c.png"]
    assert np.array_equal(source.read(3), STACK[0])


def test_names_are_paths_as_given(tmp_path, monkeypatch):
    write(tmp_path / "in" / "x.png")
    monkeypatch.chdir(tmp_path)
    assert as_source("in").names == [str(Path("in", "x.png"))]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_source("~/in").names == [str(tmp_path / "in" / "x.png")]


def test_files_and_folders_mix_and_folders_count_a_file_once(tmp_path):
    one, two = write(tmp_path / "a" / "1.png"), write(tmp_path / "b" / "2.png", STACK[1])
    source = as_source([two, str(tmp_path), one, tmp_path / "b" / ".." / "b" / "2.png"])
    assert relative(source, tmp_path) == ["b/2.png", "a/1.png", "a/1.png", "b/../b/2.png"]
    assert np.array_equal(source.read(0), STACK[1])
    assert len(as_source([str(tmp_path), tmp_path / "a"])) == 2
    assert len(as_source([one, two, one])) == 3  # a result for every file named, in its place
    assert as_source(str(one)).names == [str(one)]


def test_files_without_an_images_extension_are_counted(tmp_path, capsys):
    write(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("x")
    assert len(as_source(tmp_path)) == 1
    assert "1 of 2 files" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(3, 8, 8), (8, 8, 3)])
def test_one_image_is_not_taken_for_three(shape):
    for images in (np.zeros(shape), torch.zeros(shape)):
        with pytest.raises(InputError, match=r"images\[None\]"):
            as_source(images)


def test_symlink_loops_end(tmp_path):
    write(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "linked").symlink_to(tmp_path / "a", target_is_directory=True)
    assert relative(as_source(tmp_path), tmp_path) == ["a/x.png"]
    assert len(as_source(tmp_path / "linked")) == 1


def test_linked_folders_are_followed(tmp_path):
    write(tmp_path / "elsewhere" / "x.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert relative(as_source(tmp_path / "in"), tmp_path) == ["in/linked/x.png"]


def test_missing_things_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such file or folder"):
        as_source(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=rf"{tmp_path}: no images .*\.jpeg.*\.png"):
        as_source(tmp_path)
    source = as_source([write(tmp_path / "x.png"), tmp_path / "gone.png"])
    with pytest.raises(UnreadableImage, match=r"gone\.png: no such file"):
        source.read(1)


@pytest.mark.parametrize(
    "images",
    [
        STACK,
        STACK.transpose(0, 3, 1, 2),
        torch.from_numpy(STACK).permute(0, 3, 1, 2),
        STACK.astype(np.uint16) * 257,
        (STACK / 255).astype(np.float32),
        torch.from_numpy(STACK).permute(0, 3, 1, 2).double() / 255,
        list(STACK),
        [torch.from_numpy(image).permute(2, 0, 1) for image in STACK],
    ],
    ids=["hwc", "chw", "tensor", "uint16", "float32", "tensor64", "list", "tensors"],
)
def test_every_array_form_gives_the_same_pixels(images):
    source = as_source(images)
    assert source.names == ["array[0]", "array[1]", "array[2]", "array[3]"]
    assert all(np.array_equal(source.read(i), STACK[i]) for i in range(4))


@pytest.mark.parametrize("grey", [STACK[..., 0], STACK[..., :1], torch.from_numpy(STACK[..., 0])])
def test_grey_arrays_give_one_or_three_channels(grey):
    assert np.array_equal(as_source(grey, channels=1).read(2), STACK[2][..., :1])
    assert np.array_equal(as_source(grey).read(2), np.repeat(STACK[2][..., :1], 3, axis=2))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(5, 9)), min_size=1, max_size=5))
def test_a_list_of_arrays_of_any_sizes(shapes):
    arrays = [RNG.integers(0, 256, (h, w), dtype=np.uint8) for h, w in shapes]
    source = as_source(arrays, channels=1)
    assert [source.read(i).shape for i in range(len(source))] == [(h, w, 1) for h, w in shapes]
    assert all(np.array_equal(source.read(i)[..., 0], a) for i, a in enumerate(arrays))


def test_channels_come_first_in_tensors_and_last_in_arrays():
    values = np.arange(72, dtype=np.uint8).reshape(1, 3, 8, 3)
    assert np.array_equal(as_source(torch.from_numpy(values)).read(0), values[0].transpose(1, 2, 0))
    assert np.array_equal(as_source(values).read(0), values[0])


def test_floats_are_rounded():
    assert as_source(np.full((1, 8, 8), 99.6 / 255)).read(0)[0, 0, 0] == 100


def test_bfloat16_and_transparency():
    assert (as_source(torch.ones(1, 3, 8, 8, dtype=torch.bfloat16)).read(0) == 255).all()
    assert (as_source(np.zeros((1, 8, 8, 4), dtype=np.uint8)).read(0) == 255).all()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "list of images is empty"),
        (np.zeros((0, 8, 8)), r"shape \(0, 8, 8\) holds no images"),
        (np.zeros((2, 0, 8)), r"array\[0\] has shape \(0, 8\)"),
        (np.zeros((8, 8)), r"shape \(8, 8\) is no image"),
        (np.zeros((2, 5, 8, 8)), r"shape \(2, 5, 8, 8\) is no image"),
        (np.zeros((1, 2, 3, 8, 8)), r"shape \(1, 2, 3, 8, 8\) is no image"),
        (np.zeros((48, 64, 3), dtype=np.uint8), r"looks like one image; give images\[None\]"),
        (np.zeros((2, 8, 8), dtype=np.int64), r"array\[0\] is int64"),
        (np.linspace(-2, 3, 128).reshape(2, 8, 8), r"span \[-2, 3\]"),
        (torch.full((1, 3, 8, 8), 255.0), r"span \[0, 255\]"),
        ([np.zeros((8, 8)), np.full((8, 8), np.inf)], r"array\[1\] holds NaN or infinite"),
        (["a.png", np.zeros((8, 8))], "holds ndarray, str"),
        ([[1, 2], [3, 4]], "holds list"),
        (None, "images are a NoneType"),
    ],
)
def test_bad_input_is_named(images, message):
    with pytest.raises(InputError, match=message) as caught:
        as_source(images)
    assert "\n" not in str(caught.value) and ";" in str(caught.value)


def test_subset_keeps_names_and_order(tmp_path):
    source = as_source(STACK).subset([3, 1])
    assert source.names == ["array[3]", "array[1]"] and len(source) == 2
    assert np.array_equal(source.read(0), STACK[3])
    assert as_source(source, channels=1).read(0).shape == (6, 8, 1)
    files = as_source([write(tmp_path / f"{i}.png", STACK[i]) for i in range(3)]).subset(np.array([2]))
    assert np.array_equal(files.read(0), STACK[2])


def test_pil_images_are_turned_upright_and_laid_on_white():
    turned, clear = Image.new("RGB", (4, 2), (10, 20, 30)), Image.new("RGBA", (3, 3), (0, 0, 0, 0))
    turned.getexif()[0x0112] = 6
    source = as_source([turned, clear])
    assert source.names == ["image[0]", "image[1]"]
    assert source.read(0).shape == (4, 2, 3) and (source.read(0) == (10, 20, 30)).all()
    assert (source.read(1) == 255).all() and as_source([clear], 1).read(0).shape == (3, 3, 1)


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-that-name/x"])
def test_what_is_no_path_is_named_in_one_line(name):
    for images in (name, [name]):
        with pytest.raises(InputError) as caught:
            as_source(images)
        assert "check" in str(caught.value) and "\n" not in str(caught.value)
