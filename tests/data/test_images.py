import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from attractor.data.images import UnreadableImage, decode_image, is_image_name, open_image, read_image
from attractor.errors import InputError

# what the library silences at import, pytest turns on again
pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore:.*:UserWarning:PIL.*")

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.parametrize("ext", ["png", "bmp", "tif", "ppm"])
def test_lossless_colour_comes_back_as_it_was(tmp_path, ext):
    assert np.array_equal(read_image(save(tmp_path / f"x.{ext}", COLOUR)), COLOUR)


@pytest.mark.parametrize("ext", ["png", "bmp", "tif", "gif", "pgm"])
def test_grey_in_one_or_three_channels(tmp_path, ext):
    path = save(tmp_path / f"x.{ext}", GREY)
    assert np.array_equal(read_image(path, channels=1), GREY[..., None])
    assert np.array_equal(read_image(path), np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize("ext", ["jpg", "webp"])
def test_lossy_colour_comes_back_nearly(tmp_path, ext):
    smooth = np.full((16, 24, 3), (200, 100, 50), dtype=np.uint8)
    pixels = read_image(save(tmp_path / f"x.{ext}", smooth, quality=95))
    assert pixels.shape == smooth.shape
    assert np.abs(pixels.astype(int) - smooth).max() <= 4


def test_palette_and_bilevel(tmp_path):
    palette = Image.fromarray(GREY).convert("P")
    palette.save(tmp_path / "p.png")
    assert np.array_equal(read_image(tmp_path / "p.png"), np.array(palette.convert("RGB")))
    Image.fromarray(GREY > 127).save(tmp_path / "1.png")
    assert np.array_equal(read_image(tmp_path / "1.png", 1)[..., 0], np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("ext", ["png", "tif", "pgm"])
def test_sixteen_bits_scale_by_the_full_range(tmp_path, ext):
    path = save(tmp_path / f"x.{ext}", np.array([[0, 128, 129, 128 * 257, 65535]], dtype=np.uint16))
    assert read_image(path, 1)[..., 0].tolist() == [[0, 0, 1, 128, 255]]


def test_floats_scale_by_their_own_range(tmp_path):
    path = save(tmp_path / "x.tif", np.array([[-1.0, 0.0, 1.0]], dtype=np.float32))
    assert read_image(path, 1)[..., 0].tolist() == [[0, 128, 255]]
    flat = save(tmp_path / "flat.tif", np.full((2, 2), 7.0, dtype=np.float32))
    assert not read_image(flat).any()
    integers = save(tmp_path / "i.tif", np.array([[-5, 0, 250]], dtype=np.int32))
    assert read_image(integers, 1)[..., 0].tolist() == [[0, 5, 255]]


def test_not_finite_is_refused(tmp_path):
    path = save(tmp_path / "x.tif", np.array([[0.0, np.nan]], dtype=np.float32))
    with pytest.raises(UnreadableImage, match="NaN"):
        read_image(path)


def test_transparency_becomes_white(tmp_path):
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0, :, 3] = [0, 51, 255]
    want = [255, 204, 0]
    assert read_image(save(tmp_path / "rgba.png", rgba))[0, :, 0].tolist() == want
    assert read_image(save(tmp_path / "rgba.webp", rgba, lossless=True), 1)[0, :, 0].tolist() == want
    Image.fromarray(rgba).convert("LA").save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png")[0, :, 1].tolist() == want
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.save(tmp_path / "p.png", transparency=0)
    assert read_image(tmp_path / "p.png").tolist() == [[[255, 255, 255], [0, 255, 0]]]


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(tmp_path / "white.jpg")
    assert (read_image(tmp_path / "white.jpg") > 250).all()


@pytest.mark.parametrize("ext", ["png", "tif"])
def test_exif_turns_the_image_upright(tmp_path, ext):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    path = save(tmp_path / f"x.{ext}", COLOUR, exif=exif)
    assert np.array_equal(read_image(path), np.rot90(COLOUR, -1))


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("L", (4, 4), level) for level in (10, 200)]
    for ext in ("gif", "png", "tif"):
        frames[0].save(tmp_path / f"x.{ext}", save_all=True, append_images=frames[1:])
        assert (read_image(tmp_path / f"x.{ext}") == 10).all()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    want=st.tuples(*[st.integers(1, 99)] * 2),
    turn=st.booleans(),
)
def test_size_is_never_undercut(tmp_path, height, width, want, turn):
    exif = Image.Exif()
    exif[0x0112] = 6 if turn else 1
    path = save(tmp_path / "x.jpg", np.zeros((height, width, 3), dtype=np.uint8), exif=exif)
    upright = (width, height) if turn else (height, width)
    got = read_image(path, size=want).shape[:2]
    assert all(g >= min(u, w) for g, u, w in zip(got, upright, want, strict=True))


def test_size_spares_the_decoding_of_a_large_jpeg(tmp_path):
    path = save(tmp_path / "x.jpg", np.zeros((800, 800, 3), dtype=np.uint8))
    assert read_image(path, size=(90, 100)).shape == (100, 100, 3)


BAD = {
    "missing": None,
    "empty": b"",
    "text": b"this is no image\n" * 20,
    "script": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    "zero-sized": png_header(0, 4),
    "huge": png_header(30_000, 30_000),
    "large": png_header(2**14, 2**13 + 1),
    "no-pixels": png_header(4, 4),
}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "no such file"),
        ("empty", "empty file"),
        ("text", "not an image"),
        ("script", "not an image"),
        ("zero-sized", "not an image"),
        ("huge", "more than 134,217,728 pixels"),
        ("large", "more than 134,217,728 pixels"),
        ("no-pixels", "cannot be decoded"),
    ],
)
def test_bad_files_get_one_line(tmp_path, kind, reason):
    path = tmp_path / "bad.png"
    if (content := BAD[kind]) is not None:
        path.write_bytes(content)
    for read in (read_image, open_image):
        with pytest.raises(UnreadableImage, match=reason) as caught:
            read(path)
        assert caught.value.path == str(path)
        assert str(caught.value) == f"{path}: {caught.value.reason}"
        assert "\n" not in str(caught.value) and ";" in caught.value.reason


def test_the_largest_allowed_size_passes_the_header(tmp_path):
    (tmp_path / "x.png").write_bytes(png_header(2**14, 2**13))
    with pytest.raises(UnreadableImage, match="cannot be decoded"):  # not "more than": its pixels are missing
        read_image(tmp_path / "x.png")


def test_folders_pipes_and_loops_are_no_images(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for path in (tmp_path, tmp_path / "pipe.png", tmp_path / "loop.png"):
        with pytest.raises(UnreadableImage):
            read_image(path)


@pytest.mark.parametrize("ext", ["png", "jpg", "gif", "bmp", "tif", "webp"])
def test_truncated_files_are_refused(tmp_path, ext):
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = save(tmp_path / f"x.{ext}", noise).read_bytes()
    for share in (0.02, 0.5, 0.9):
        (tmp_path / f"cut.{ext}").write_bytes(data[: int(share * len(data))])
        with pytest.raises(UnreadableImage):
            read_image(tmp_path / f"cut.{ext}")


@settings(max_examples=150, deadline=None)
@given(ext=st.sampled_from(["png", "jpg", "gif", "bmp", "tif", "webp", "ppm"]), data=st.data())
def test_a_damaged_file_is_read_or_refused_but_never_crashes(tmp_path_factory, ext, data):
    path = tmp_path_factory.getbasetemp() / f"whole.{ext}"
    if not path.exists():
        save(path, RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = decode_image(bytes(content), "damaged")
    except UnreadableImage as error:
        assert "\n" not in str(error)
    else:
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3


def test_broken_exif_does_not_spoil_the_image(tmp_path):
    path = save(tmp_path / "x.png", COLOUR, exif=b"Exif\x00\x00 nonsense")
    assert np.array_equal(read_image(path), COLOUR)


def test_channels_are_one_or_three(tmp_path):
    with pytest.raises(InputError, match="channels is 2"):
        read_image(save(tmp_path / "x.png", COLOUR), channels=2)


def test_no_warning_leaks(tmp_path):
    (tmp_path / "x.png").write_bytes(png_header(2**14, 2**13))  # PIL would warn of a decompression bomb
    code = (
        "from attractor.data.images import read_image, UnreadableImage\n"
        "try: read_image('x.png')\nexcept UnreadableImage: pass"
    )
    done = subprocess.run([sys.executable, "-Wd", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Bomb" not in done.stderr


def test_image_names():
    assert all(map(is_image_name, ["a.png", "a.JPG", "b/a.JPEG", "a.tiff", "a.webp", "a.pgm", "a.pbm", "a.bmp"]))
    assert not any(map(is_image_name, ["a", "a.txt", "png", "a.png.txt", "a.eps", "a.pdf", ".png"]))


def test_a_transparent_grey_of_sixteen_bits_becomes_white(tmp_path):
    values = np.array([[0, 20_000], [40_000, 65_535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png", transparency=20_000)
    assert Image.open(tmp_path / "a.png").info["transparency"] == 20_000
    assert read_image(tmp_path / "a.png", 1)[..., 0].tolist() == [[0, 255], [156, 255]]
