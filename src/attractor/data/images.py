"""One image file to one uint8 array, or one clear line that says why not."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from attractor.errors import InputError, one_line

MAX_PIXELS = 2**27  # 134 million: half a gigabyte of RGBA

# A list of our own, because others run programs: an EPS file named .png would start Ghostscript.
_WANTED = {"PNG", "JPEG", "MPO", "JPEG2000", "BMP", "GIF", "TIFF", "WEBP", "AVIF", "PPM"}
EXTENSIONS = frozenset(ext for ext, kind in Image.registered_extensions().items() if kind in _WANTED)
_FORMATS = sorted(_WANTED & set(Image.OPEN))

# What PIL would warn of (odd metadata, many pixels) is either harmless or refused below. The filter is global
# because `warnings.catch_warnings` is not safe in the threads that decode.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnreadableImage(InputError):
    """An image that cannot be used: ``path`` names it, ``reason`` says why and what to do, in one line."""

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason


def is_image_name(path: str | PathLike[str]) -> bool:
    """Whether the extension is that of a known image format, in any case."""
    return Path(path).suffix.lower() in EXTENSIONS


def read_image(path: str | PathLike[str], channels: int = 3, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read one image file, upright, on white, first frame; uint8 ``(H, W, channels)``, ``channels`` 1 or 3.

    ``size = (h, w)`` lets a large JPEG decode at a fraction of its size, never below ``size``; nothing is
    resized. 16-bit values are scaled from the full range, 32-bit and floating ones from the image's own
    minimum and maximum. Raises :class:`UnreadableImage`.
    """
    with _unreadable(str(path)), _open(path) as file:
        return to_pixels(_decode(file, str(path), size), channels)


def decode_image(data: bytes, name: str, channels: int = 3, size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode the bytes of an image file as :func:`read_image` does; ``name`` stands in the error."""
    with _unreadable(name):
        return to_pixels(_decode(io.BytesIO(data), name, size), channels)


def open_image(path: str | PathLike[str]) -> Image.Image:
    """Decode one file to an upright PIL image of whatever mode it has; raises :class:`UnreadableImage`."""
    with _unreadable(str(path)), _open(path) as file:
        return _decode(file, str(path), None)


def to_pixels(image: Image.Image, channels: int) -> np.ndarray:
    """Any PIL image as uint8 ``(H, W, channels)``; transparency becomes white."""
    if channels not in (1, 3):
        raise InputError(f"channels is {channels}; choose 1 (grey) or 3 (colour)")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey, clear = _eight_bit(image), image.info.get("transparency")
        image = Image.fromarray(
            np.where(np.asarray(image) == clear, np.uint8(255), grey) if clear is not None else grey
        )
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


def resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize uint8 ``(H, W, C)`` to ``(h, w, C)``: antialiased bicubic; the aspect ratio is not kept."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    resized = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.array(resized).reshape(*size, pixels.shape[2])


def from_sixteen_bits(values: np.ndarray) -> np.ndarray:
    """Map 0..65535 to 0..255, rounded."""
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _open(path: str | PathLike[str]) -> BinaryIO:
    try:
        path = Path(path)
        if path.is_dir():
            raise UnreadableImage(path, "a folder, not an image; name an image file")
        if path.stat().st_size == 0:  # or a pipe, which would block for ever
            raise UnreadableImage(path, "empty file (0 bytes); replace or remove it")
        return path.open("rb")
    except FileNotFoundError:
        raise UnreadableImage(path, "no such file; check the path") from None
    except OSError as error:
        raise UnreadableImage(path, f"cannot be opened ({error.strerror}); check its permissions") from error


@contextmanager
def _unreadable(name: str) -> Iterator[None]:
    """Turn whatever PIL raises on a damaged file (a dozen kinds, by format) into the one line."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except UnidentifiedImageError:
        raise UnreadableImage(name, "not an image of a known format; replace or remove it") from None
    except Exception as error:
        raise UnreadableImage(name, f"cannot be decoded ({one_line(error, 100)}); replace or remove it") from error


def _decode(file: BinaryIO, name: str, size: tuple[int, int] | None) -> Image.Image:
    image = Image.open(file, formats=_FORMATS)  # reads the header only
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name)
    if size is not None:
        side = max(size)  # both ways, for it may yet be turned upright
        image.draft(None, (side, side))
    image.load()
    with suppress(Exception):  # broken EXIF is no reason to refuse good pixels
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _too_large(name: str) -> UnreadableImage:
    return UnreadableImage(name, f"more than {MAX_PIXELS:,} pixels; scale it down or cut it into tiles")


def _eight_bit(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    # PIL widens 16-bit PNG and PGM to 32 bits in some versions: their range is known all the same
    if image.mode != "F" and (image.mode != "I" or image.format in ("PNG", "PPM")):
        return from_sixteen_bits(values)
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinite values")
    values = values.astype(np.float64) - values.min()
    return np.rint(values * (255.0 / (values.max() or 1.0))).astype(np.uint8)
