import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from attractor.data.batches import load_batches, view_batches
from attractor.data.images import UnreadableImage, resize
from attractor.data.sources import ImageSource, as_source
from attractor.data.views import Viewing

RNG = np.random.default_rng(2)


class Counting(ImageSource):
    """Grey images whose value is their number; some cannot be read; how many were asked for is kept."""

    def __init__(self, count: int, bad: frozenset[int] = frozenset()) -> None:
        super().__init__([str(i) for i in range(count)], [b""] * count, 1)
        object.__setattr__(self, "bad", bad)
        object.__setattr__(self, "asked", [])

    def read(self, i: int, size: tuple[int, int] | None = None) -> np.ndarray:
        self.asked.append(i)
        if i in self.bad:
            raise UnreadableImage(self.names[i], "bad")
        return np.full((3, 3, 1), i, dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.frozensets(st.integers(0, 39)), st.integers(1, 12), st.integers(1, 4))
def test_order_batches_and_unreadable(count, bad, batch_size, workers):
    unreadable: list[UnreadableImage] = []
    source = Counting(count, bad)
    batches = list(load_batches(source, (2, 2), unreadable, batch_size, workers))
    good = [i for i in range(count) if i not in bad]
    assert [i for indices, _ in batches for i in indices] == good
    assert all(images[:, 0, 0, 0].tolist() == indices for indices, images in batches)
    assert all(len(indices) == batch_size for indices, _ in batches[:-1])
    assert [int(error.path) for error in unreadable] == sorted(i for i in bad if i < count)
    assert sorted(source.asked) == list(range(count))


def test_decoding_runs_at_most_a_batch_ahead_and_stops_with_the_consumer():
    source = Counting(500)
    batches = load_batches(source, (2, 2), [], batch_size=10)
    next(batches)
    assert len(source.asked) <= 21
    before = threading.active_count()
    batches.close()
    assert len(source.asked) <= 21 and threading.active_count() < before


def test_a_consumer_that_stops_does_not_wait_for_the_images_ahead():
    class Gated(Counting):
        gate = threading.Event()

        def read(self, i: int, size: tuple[int, int] | None = None) -> np.ndarray:
            if i >= 10:
                self.gate.wait(10)
            return super().read(i, size)

    source = Gated(500)
    batches = load_batches(source, (2, 2), [], batch_size=10, workers=2)
    next(batches)
    threading.Timer(0.1, source.gate.set).start()
    batches.close()
    assert len(source.asked) <= 12  # the two under way when it stopped


def test_other_errors_are_not_swallowed():
    source = ImageSource(["x"], [np.zeros((2, 2, 7), dtype=np.uint8)])
    with pytest.raises(TypeError):
        list(load_batches(source, (2, 2), []))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_and_its_array_give_the_same_tensor(tmp_path, channels):
    array = RNG.integers(0, 256, (37, 51, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "x.png")
    found = [
        next(load_batches(as_source(images, channels), (16, 24), []))[1]
        for images in (tmp_path, array[None], torch.from_numpy(array).permute(2, 0, 1)[None])
    ]
    assert found[0].shape == (1, channels, 16, 24) and found[0].dtype == torch.uint8
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_the_size_of_a_jpeg_hardly_shows(tmp_path):
    blocks = np.kron(RNG.integers(0, 256, (128, 128), dtype=np.uint8), np.ones((4, 4), dtype=np.uint8))
    Image.fromarray(blocks).save(tmp_path / "x.jpg", quality=95)
    whole = as_source(np.array(Image.open(tmp_path / "x.jpg"))[None], channels=1)
    drafted = as_source(tmp_path, channels=1)
    a, b = (next(load_batches(source, (64, 64), []))[1].int() for source in (whole, drafted))
    assert 0 < (a - b).abs().max() < 15  # over 50 where the decoder goes down to the size itself


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3]))
def test_resize_keeps_a_flat_image_flat(height, width, h, w, channels):
    flat = np.full((height, width, channels), 77, dtype=np.uint8)
    assert np.array_equal(resize(flat, (h, w)), np.full((h, w, channels), 77))


def test_resize_is_antialiased():
    checker = np.uint8(255 * (np.indices((64, 64)).sum(0) % 2))[..., None]
    assert np.abs(resize(checker, (8, 8)).astype(int) - 127).max() < 12


def test_tiles_are_followed_by_the_whole_image_made_small():
    pixels = RNG.integers(256, size=(24, 16, 1), dtype=np.uint8)
    [(canvases, views)] = view_batches(as_source(pixels[None], 1), Viewing((16, 16), tiles=True), [])
    [canvas] = canvases
    assert canvas.origins == [(0, 0), (8, 0)] and canvas.views == len(views) == 3
    assert np.array_equal(views[1, 0], pixels[8:, :, 0])
    assert np.array_equal(views[2, 0], resize(pixels, (16, 16))[..., 0])
