"""The official archives in miniature: their layouts to the byte, with few images."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ["airplane", "bird", "car"]
Files = dict[str, bytes]


def as_tar(path: Path, files: Files) -> Path:
    """A tar, compressed if its name says so."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def as_zip(path: Path, files: Files) -> Path:
    """A zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def as_folder(path: Path, files: Files) -> Path:
    """The same files unpacked."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def flat(level: int, kind: str = "PNG") -> bytes:
    """A file of an image of one grey."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(file, kind)
    return file.getvalue()


def stl10_files(images: dict[str, np.ndarray], labels: dict[str, list[int]]) -> Files:
    """``images`` uint8 ``(N, 96, 96, 3)`` and labels from 1, both by split; the unlabelled images in between."""
    files = {}
    for split in ("test", "train"):
        # MATLAB's order: all of a column, then the next, then the next channel
        pixels = b"".join(image[..., c].tobytes("F") for image in images[split] for c in range(3))
        files[f"stl10_binary/{split}_X.bin"] = pixels
        files[f"stl10_binary/{split}_y.bin"] = bytes(labels[split])
    files["stl10_binary/unlabeled_X.bin"] = bytes(27648)
    files["stl10_binary/class_names.txt"] = "".join(f"{name}\n" for name in CLASSES).encode()
    return files


def cifar10_files(images: np.ndarray, labels: list[int]) -> Files:
    """``images`` uint8 ``(6 n, 32, 32, 3)``: n in each of the five training files and in that of the test."""
    records = [
        bytes([y]) + b"".join(x[..., c].tobytes() for c in range(3)) for x, y in zip(images, labels, strict=True)
    ]
    n = len(records) // 6
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    files = {f"cifar-10-batches-bin/{name}": b"".join(records[i * n : (i + 1) * n]) for i, name in enumerate(names)}
    files["cifar-10-batches-bin/batches.meta.txt"] = ("\n".join(CLASSES) + "\n\n").encode()
    return files


def tiny_imagenet_files() -> Files:
    """Two classes, two training images and one validation image each."""
    files = {"tiny-imagenet-200/wnids.txt": b"n02\nn01\n", "tiny-imagenet-200/words.txt": b"n01\tgoldfish\n"}
    for level, wnid in ((10, "n01"), (20, "n02")):
        files[f"tiny-imagenet-200/train/{wnid}/{wnid}_boxes.txt"] = f"{wnid}_0.JPEG\t0\t0\t8\t8\n".encode()
        for i in range(2):
            files[f"tiny-imagenet-200/train/{wnid}/images/{wnid}_{i}.JPEG"] = flat(level + i, "JPEG")
    files["tiny-imagenet-200/val/val_annotations.txt"] = b"val_0.JPEG\tn02\t0\t0\t8\t8\nval_1.JPEG\tn01\t0\t0\t8\t8\n"
    files["tiny-imagenet-200/val/images/val_0.JPEG"] = flat(20, "JPEG")
    files["tiny-imagenet-200/val/images/val_1.JPEG"] = flat(10, "JPEG")
    files["tiny-imagenet-200/test/images/test_0.JPEG"] = flat(99, "JPEG")
    return files


def brain_files(root: str, train: int = 2, test: int = 1) -> Files:
    """``train`` and ``test`` slices a class below ``root``."""
    counts, classes = {"train": train, "test": test}, ("no_tumor", "glioma", "meningioma", "pituitary")
    return {
        f"{root}/{split}/{name}/brisc2025_{split}_{i}.jpg": flat(10 * i, "JPEG")
        for split, count in counts.items()
        for name in classes
        for i in range(count)
    }


def tile_files() -> Files:
    """MVTec-AD's layout: good ones, and one defect with its mask."""
    return {
        "magnetic-tile/train/good/a.jpg": flat(1, "JPEG"),
        "magnetic-tile/train/good/b.jpg": flat(2, "JPEG"),
        "magnetic-tile/test/good/c.jpg": flat(3, "JPEG"),
        "magnetic-tile/test/crack/d.jpg": flat(4, "JPEG"),
        "magnetic-tile/ground_truth/crack/d_mask.png": flat(255),
    }
