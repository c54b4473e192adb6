"""A whole set of labelled images in memory, from a folder or an archive: what pretraining reads."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath

import torch

from attractor.data.batches import load_images
from attractor.data.images import UnreadableImage, is_image_name
from attractor.data.sources import ImageSource, find_images
from attractor.data.tars import open_tar
from attractor.errors import InputError, one_line

MAX_MEMBER = 2**28  # bytes: a larger file in an archive is a trap, not an image

Files = Mapping[PurePosixPath, Path | bytes]


@dataclass(frozen=True)
class LabelledImages:
    """``images`` uint8 ``(N, C, H, W)``, ``labels`` int64 ``(N,)`` into ``classes``; what was left out."""

    images: torch.Tensor
    labels: torch.Tensor
    classes: list[str]
    unreadable: list[UnreadableImage]

    @classmethod
    def load(
        cls, source: ImageSource, categories: Iterable[str], classes: list[str], size: tuple[int, int]
    ) -> LabelledImages:
        """The images of ``source``, image for image of these ``categories``, resized to ``size = (h, w)``."""
        number = {name: i for i, name in enumerate(classes)}
        labels = torch.tensor([number[name] for name in categories])
        unreadable: list[UnreadableImage] = []
        kept, images = load_images(source, size, unreadable)
        return cls(images, labels[kept], classes, unreadable)


def load_labelled(
    root: str | PathLike[str],
    split: str,
    size: tuple[int, int] = (64, 64),
    channels: int = 3,
    classes: list[str] | None = None,
) -> LabelledImages:
    """Load every image of ``root/split``, resized to ``size = (h, w)``.

    ``root`` is a folder, a ``.tar`` or a ``.zip``. The layout is ``split/CLASS/...`` to any depth, or Tiny
    ImageNet's ``val/images/*`` with ``val/val_annotations.txt``. Classes are sorted; pass another split's
    ``classes`` for the same labels. Archives are read straight into memory: nothing is extracted. Raises
    :class:`InputError`.
    """
    root = Path(root).expanduser()
    files = _read_folder(root / split) if root.is_dir() else _read_archive(root, split)
    names = _class_names(files, split)
    if not names:
        raise InputError(f"{root}: no images under {split}/CLASS/; give what holds the folder {split}")
    classes = classes if classes is not None else sorted(set(names.values()))
    if unknown := sorted(set(names.values()) - set(classes)):
        raise InputError(f"{root}: the classes of {split} include {unknown[0]}, which the other split lacks")
    paths = [str(root / split / name) for name in names]
    source = ImageSource(paths, [files[name] for name in names], channels)
    return LabelledImages.load(source, names.values(), classes, size)


def _class_names(files: Files, split: str) -> dict[PurePosixPath, str]:
    """The class of each image, by its folder or by the table beside it."""
    images = [name for name in files if is_image_name(name)]
    table = files.get(PurePosixPath(f"{split}_annotations.txt"))
    if table is None:
        if loose := [name for name in images if len(name.parts) == 1]:
            raise InputError(f"{split}/{loose[0]}: an image outside the class folders; move it into one or away")
        return {name: name.parts[0] for name in images}
    try:
        text = (table.read_bytes() if isinstance(table, Path) else table).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{split}_annotations.txt is not UTF-8 text ({error}); copy it again") from None
    class_of = dict(line.split("\t")[:2] for line in text.splitlines() if "\t" in line)
    if missing := [name for name in images if name.name not in class_of]:
        raise InputError(f"{missing[0]}: not in {split}_annotations.txt; add its line or remove the image")
    return {name: class_of[name.name] for name in images}


def _read_folder(folder: Path) -> Files:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it should hold one folder of images a class")
    found = find_images(folder) + sorted(folder.glob("*_annotations.txt"))
    return {PurePosixPath(path.relative_to(folder).as_posix()): path for path in found}


def _read_archive(path: Path, split: str) -> Files:
    """The files below the archive's folder ``split``; links and other odd members are left out."""
    if not path.exists():
        raise InputError(f"{path}: no such folder or archive; check the path")
    try:
        members = _read_zip(path, split) if zipfile.is_zipfile(path) else _read_tar(path, split)
    except InputError:
        raise
    except Exception as error:  # damaged archives raise as many kinds as damaged images
        raise InputError(f"{path}: not a readable .tar or .zip archive ({one_line(error)}); copy it again") from error
    return dict(sorted(members.items()))


def _read_tar(path: Path, split: str) -> dict[PurePosixPath, bytes]:
    found = {}
    with open_tar(path) as archive:
        for member in archive:
            name = _below(split, member.name, member.size)
            if name and member.isfile() and (file := archive.extractfile(member)):
                found[name] = file.read()
    return found


def _read_zip(path: Path, split: str) -> dict[PurePosixPath, bytes]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = _below(split, member.filename, member.file_size)
            if name and not member.is_dir():
                found[name] = archive.read(member)
    return found


def _below(split: str, name: str, size: int) -> PurePosixPath | None:
    """The name below the folder ``split``; None for a member that is elsewhere, hidden, or of no use."""
    parts = PurePosixPath(name).parts
    if split not in parts[:-1] or parts[-1].startswith("."):
        return None
    if not is_image_name(name) and not name.endswith("_annotations.txt"):
        return None
    if ".." in parts:
        raise InputError(f"{name}: a path in the archive that leads out of it; make the archive anew")
    if size > MAX_MEMBER:
        raise InputError(f"{name}: {size:,} bytes in the archive; the limit is {MAX_MEMBER:,}")
    return PurePosixPath(*parts[parts.index(split) + 1 :])
