"""Tar archives in which whatever is cut off or damaged is an error."""

from __future__ import annotations

import tarfile
from pathlib import Path


class _Header(tarfile.TarInfo):
    """A header of a member: one that is cut off or damaged, or missing, would else pass for the archive's end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:  # type: ignore[override]
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {archive.offset:,}") from None


def open_tar(path: Path) -> tarfile.TarFile:
    """Open a tar archive, compressed or not, for reading.

    Raises one-line :class:`tarfile.ReadError`, here or later, where it is none, cut off or damaged.
    """
    try:
        return tarfile.open(path, tarinfo=_Header)
    except tarfile.ReadError:  # of many lines, one for every compression that was tried
        raise tarfile.ReadError("it does not begin like one") from None
