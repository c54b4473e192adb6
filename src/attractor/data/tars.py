"""Tar archives in which whatever is cut off, damaged or overwritten with zeros is an error."""

from __future__ import annotations

import tarfile
from pathlib import Path

# tar fills its last record with zeros: usually one of 10,240 bytes, for tapes and disks one of up to 1 MiB
RECORD, RECORDS = tarfile.RECORDSIZE, [tarfile.BLOCKSIZE << i for i in range(12)]


class _Header(tarfile.TarInfo):
    """A header of a member: one that is cut off, damaged or missing would else pass for the archive's end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:  # type: ignore[override]
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            _check_end(archive)
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error} at byte {archive.offset:,}") from None


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise unless the block of zeros just read is the end: more of them follow, no more than fill a record."""
    file = archive.fileobj
    assert file is not None
    begin = file.tell() - tarfile.BLOCKSIZE
    rest = file.read(RECORDS[-1] + 1)  # of what is unpacked: a few bytes of a compressed file may be endless zeros
    if rest.strip(b"\0"):
        raise tarfile.ReadError(f"no member but zeros at byte {begin:,}, and more after them")
    size = begin + tarfile.BLOCKSIZE + len(rest)
    if len(rest) > RECORD and not any(len(rest) <= record and size % record == 0 for record in RECORDS):
        raise tarfile.ReadError(f"nothing but zeros from byte {begin:,} on, more than end an archive")


def open_tar(path: Path) -> tarfile.TarFile:
    """Open a tar archive, compressed or not, for reading.

    Raises one-line :class:`tarfile.ReadError`, here or later, where it is none, cut off, damaged, or zeros in part.
    """
    try:
        return tarfile.open(path, tarinfo=_Header)
    except tarfile.ReadError:  # of many lines, one for every compression that was tried
        raise tarfile.ReadError("it does not begin like one") from None
