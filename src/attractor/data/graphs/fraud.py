"""The named fraud sets: fetched where they can be, read from a folder where they cannot."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from os import PathLike
from pathlib import Path

import pooch

from attractor.console import stderr
from attractor.data.graphs.mat_file import parse_mat
from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.raw import refusing, to_graph
from attractor.data.graphs.reading import as_node_graph
from attractor.errors import InputError
from attractor.files import write_text

BASE = "https://data.dgl.ai/dataset/"
ARCHIVES = {"yelp": ("FraudYelp.zip", "YelpChi.mat"), "amazon": ("FraudAmazon.zip", "Amazon.mat")}
BY_HAND = ("tfinance", "tsocial")
PAGE = "https://github.com/squareRoot3/Rethinking-Anomaly-Detection"
LIMIT = 2**32  # bytes of a .mat, unpacked


def fraud_graph(name: str, folder: str | PathLike[str], base_url: str = BASE) -> NodeGraph:
    """``yelp`` and ``amazon`` (Dou et al. 2020), fetched into ``folder`` once; ``tfinance`` and ``tsocial``, put there.

    Another name is the path of a graph as :func:`as_node_graph` reads it. The SHA-256 of an archive is printed and
    kept in a ``.sha256`` beside it when it first comes; later it must be the same. Raises :class:`InputError`.
    """
    folder = Path(folder).expanduser()
    if name in ARCHIVES:
        return _from_archive(name, folder, base_url)
    if name in BY_HAND:
        return replace(as_node_graph(_put_by_hand(folder / name)), name=name)
    if not Path(name).expanduser().exists():
        raise InputError(f"{name} is no set ({', '.join((*ARCHIVES, *BY_HAND))}) and no file; check the name")
    return as_node_graph(name)


def _put_by_hand(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path} is missing; put it there by hand, from the Google Drive that {PAGE} links to")
    return path


def _from_archive(name: str, folder: Path, base_url: str) -> NodeGraph:
    archive, member = ARCHIVES[name]
    path = folder / archive
    if not path.exists():
        _fetch(f"{base_url.rstrip('/')}/{archive}", path)
    _check(path)
    with refusing(path):
        graph = to_graph(parse_mat(io.BytesIO(_unpack(path, member)), f"{path}, {member}"), name=f"{path}, {member}")
    return replace(graph, name=name)


def _fetch(url: str, path: Path) -> None:
    """A zip archive that appears whole, and as it was if it was here before, or not at all."""
    stderr.print(f"Fetching {url}")
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(url, _recorded(path), path.name, path.parent)
    except (OSError, ValueError) as error:  # every failure of the network is an OSError, another hash a ValueError
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{url} cannot be fetched ({reason}); fetch it by hand into {path.parent}") from None
    if not zipfile.is_zipfile(path):
        path.unlink()
        raise InputError(f"{url} gave no zip archive but some page; fetch it by hand into {path.parent}")


def _check(path: Path) -> None:
    """Raise unless the file has the hash it had when it was first seen; keep and print that of a new one."""
    found, known = pooch.file_hash(path), _recorded(path)
    if known is None:
        write_text(_record(path), f"{found}\n")
        stderr.print(f"{path}: SHA-256 {found}, kept in {_record(path).name}")
    elif found != known:
        raise InputError(f"{path} is not the file it was ({_record(path).name}); delete both to fetch it again")


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _recorded(path: Path) -> str | None:
    return _record(path).read_text(encoding="utf-8").strip() if _record(path).exists() else None


def _unpack(path: Path, member: str) -> bytes:
    """The one file of the archive that is wanted, in whatever folder it lies."""
    with zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if Path(info.filename).name == member]
        if not found:
            raise InputError(f"{path} holds no {member}; delete it to fetch it again")
        if (size := found[0].file_size) > LIMIT:
            raise InputError(f"{path}: {member} claims {size >> 30:,} GiB, more than {LIMIT >> 30}; refused")
        return archive.read(found[0])
