"""Sets that lie in a folder as their files, or as an archive of them."""

from __future__ import annotations

from pathlib import Path

import pooch

from attractor.data.checksums import is_writable, sha256
from attractor.data.sets.unpacking import is_unpacked, unpacked_folder
from attractor.errors import InputError

ENDINGS = (".tar", ".tar.gz", ".zip")


def local_archive(name: str, folder: Path) -> Path | None:
    """The archive of the set ``name`` in ``folder``, if there is one."""
    paths = (folder / f"{name}{ending}" for ending in ENDINGS)
    return next((path for path in paths if path.is_file()), None)


def local_folder(name: str, folder: Path) -> Path | None:
    """The folder ``name`` in ``folder``, or its archive there: unpacked beside it or into the user's cache.

    It is unpacked once, and anew when it has changed; a folder that was not unpacked here stays as it is.
    """
    beside, archive = folder / name, local_archive(name, folder)
    if archive is None:
        return beside if beside.is_dir() else None
    if is_writable(folder) or is_unpacked(archive, beside):
        return unpacked_folder(archive, beside)
    # in the cache, sets of the same name may come from several folders
    return unpacked_folder(archive, Path(pooch.os_cache("attractor")) / f"{name}-{sha256(archive)[:16]}")


def folder_by_hand(name: str, folder: Path, remedy: str) -> Path:
    """What :func:`local_folder` finds; an :class:`InputError` that says the ``remedy`` where that is nothing."""
    if root := local_folder(name, folder):
        return root
    raise InputError(f"{folder / name} is missing; {remedy}")


def class_folder(root: Path, split: str, name: str) -> Path:
    """The one folder of the class ``name`` in the folder ``split``, both at any depth below ``root``."""
    found = [path for path in sorted(root.rglob(name)) if path.is_dir() and _is_in(split, path.relative_to(root))]
    if len(found) != 1:
        raise InputError(f"{root} holds {len(found)} folders {split}/{name}, not one; lay it out as published")
    return found[0]


def _is_in(split: str, place: Path) -> bool:
    """Hidden folders do not count, nor the one that Macs add to archives."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return split in place.parts[:-1] and not hidden
