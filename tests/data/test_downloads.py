"""Archives from servers that break off, lie, or have moved; and what is taken for the same file."""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from local_server import NOWHERE, Ranged, serving

from attractor.data.downloads import fetched
from attractor.errors import InputError
from refusals import refusal

NOISE = np.random.default_rng(0).bytes(300_000)


def pack(path: Path, content: bytes = NOISE) -> str:
    """An archive of one file, a zip or a tar by its name; its MD5."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.bin", content)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            info = tarfile.TarInfo("a.bin")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return "md5:" + hashlib.md5(path.read_bytes()).hexdigest()


def refused(path: Path, url: str, checksum: str | None, *said: str) -> None:
    with refusal(*said):
        fetched(path, url, checksum)


@pytest.fixture
def ranged(tmp_path: Path, monkeypatch):
    """A folder, and its server that can send the rest of a file."""
    (tmp_path / "from").mkdir()
    monkeypatch.setattr(Ranged, "sent", [])
    monkeypatch.setattr(Ranged, "paused", threading.Event())
    monkeypatch.setattr(Ranged, "go_on", threading.Event())
    with serving(tmp_path / "from", Ranged) as url:
        yield tmp_path / "from", url


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_every_kind_of_archive_is_fetched_once(served, tmp_path: Path, name: str) -> None:
    folder, url = served
    checksum = pack(folder / name)
    path = fetched(tmp_path / "to" / name, url, checksum=checksum)
    assert path.read_bytes() == (folder / name).read_bytes()
    assert fetched(path, NOWHERE, checksum=checksum) == path
    assert sorted(p.name for p in path.parent.iterdir()) == [name, f"{name}.sha256"]


def test_a_cut_download_goes_on_where_it_ended(ranged, tmp_path: Path, monkeypatch) -> None:
    folder, url = ranged
    checksum = pack(folder / "a.zip", 12 * NOISE)
    monkeypatch.setattr(Ranged, "limit", 2_500_000)
    refused(tmp_path / "a.zip", url, checksum, "cannot be fetched", "try again", "by hand")
    assert not (tmp_path / "a.zip").exists()
    kept = (tmp_path / "a.zip.part").stat().st_size
    assert 1_000_000 < kept <= 2_500_000
    monkeypatch.setattr(Ranged, "limit", None)
    assert fetched(tmp_path / "a.zip", url, checksum=checksum).read_bytes() == (folder / "a.zip").read_bytes()
    assert Ranged.sent == [(200, 2_500_000), (206, (folder / "a.zip").stat().st_size - kept)]
    assert not list(tmp_path.glob("*.part"))


def test_a_part_that_is_whole_already_is_taken(ranged, tmp_path: Path) -> None:
    folder, url = ranged
    checksum = pack(folder / "a.zip")
    (tmp_path / "a.zip.part").write_bytes((folder / "a.zip").read_bytes())
    assert fetched(tmp_path / "a.zip", url, checksum=checksum).read_bytes() == (folder / "a.zip").read_bytes()
    assert Ranged.sent == [(416, 0)]


def test_a_server_that_cannot_send_the_rest_starts_over(served, tmp_path: Path) -> None:
    folder, url = served
    checksum = pack(folder / "a.zip")
    (tmp_path / "a.zip.part").write_bytes((folder / "a.zip").read_bytes()[:1000])
    assert fetched(tmp_path / "a.zip", url, checksum=checksum).read_bytes() == (folder / "a.zip").read_bytes()


@pytest.mark.parametrize("size", [1000, 400_000])
def test_a_part_of_another_file_is_deleted_and_said(ranged, tmp_path: Path, size: int) -> None:
    folder, url = ranged
    checksum = pack(folder / "a.zip")
    (tmp_path / "a.zip.part").write_bytes(b"x" * size)
    refused(tmp_path / "a.zip", url, checksum, "another file, now deleted")
    assert not list(tmp_path.glob("a.zip*"))
    assert fetched(tmp_path / "a.zip", url, checksum=checksum).read_bytes() == (folder / "a.zip").read_bytes()


SCRIPT = "import sys; from pathlib import Path; from attractor.data.downloads import fetched; " + (
    "fetched(Path(sys.argv[1]), sys.argv[2], checksum=sys.argv[3])"
)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("known", [True, False])
def test_of_many_threads_one_fetches(ranged, tmp_path: Path, monkeypatch, known: bool) -> None:
    folder, url = ranged
    checksum = pack(folder / "a.zip")
    monkeypatch.setattr(Ranged, "seconds", 0.2)
    with ThreadPoolExecutor(4) as pool:
        fetch = pool.submit
        done = [fetch(fetched, tmp_path / "to" / "a.zip", url, checksum=checksum if known else None) for _ in range(4)]
    assert {path.result().read_bytes() for path in done} == {(folder / "a.zip").read_bytes()}
    assert len(Ranged.sent) == 1
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a.zip", "a.zip.sha256"]


def test_the_others_try_where_the_first_failed(ranged, tmp_path: Path, monkeypatch) -> None:
    folder, url = ranged
    checksum = pack(folder / "a.zip", 12 * NOISE)
    monkeypatch.setattr(Ranged, "seconds", 0.2)
    monkeypatch.setattr(Ranged, "limit", 2_500_000)  # in one answer: the second has the rest
    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(fetched, tmp_path / "to" / "a.zip", url, checksum=checksum) for _ in range(3)]
    failed = [f for f in done if isinstance(f.exception(), InputError)]
    assert len(failed) == 1 and {f.result() for f in done if f not in failed} == {tmp_path / "to" / "a.zip"}
    assert [status for status, _ in Ranged.sent] == [200, 206]
    assert (tmp_path / "to" / "a.zip").read_bytes() == (folder / "a.zip").read_bytes()
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a.zip", "a.zip.sha256"]


@pytest.mark.parametrize("killed", [False, True])
def test_another_process_is_waited_for_and_followed_if_it_dies(
    ranged, tmp_path: Path, monkeypatch, capsys, killed: bool
) -> None:
    folder, url = ranged
    checksum = pack(folder / "a.zip", 12 * NOISE)
    monkeypatch.setattr(Ranged, "pause", 1_500_000)  # at which the server waits until it is let go on
    path = tmp_path / "a.zip"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, path, url, checksum]) as other, ThreadPoolExecutor(1) as pool:
        try:
            until(Ranged.paused.is_set)
            here = pool.submit(fetched, path, url, checksum=checksum)
            until(lambda: "another process fetches it; waiting" in capsys.readouterr().err or here.done())
            assert not here.done()
            if killed:
                other.kill()
        finally:
            Ranged.go_on.set()
        assert here.result().read_bytes() == (folder / "a.zip").read_bytes()
        assert other.wait() == (-9 if killed else 0)
    assert len(Ranged.sent) == 1 + killed
    assert not list(tmp_path.glob("*.lock")) and not list(tmp_path.glob("*.part"))


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(tmp_path / "file" / "a.zip", NOWHERE, None, "a.zip cannot be written", "choose another folder")


def test_without_a_checksum_a_part_is_not_trusted(ranged, tmp_path: Path) -> None:
    folder, url = ranged
    pack(folder / "a.zip")
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    assert fetched(tmp_path / "a.zip", url).read_bytes() == (folder / "a.zip").read_bytes()
    assert Ranged.sent[0][0] == 200


def test_another_checksum_than_the_published_one(served, tmp_path: Path) -> None:
    folder, url = served
    pack(folder / "a.tar.gz")
    refused(tmp_path / "a.tar.gz", url, "md5:" + "0" * 32, "a.tar.gz gave another file, now deleted", "MD5", "0000")
    assert not list(tmp_path.glob("a.tar.gz*"))


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_page_in_place_of_an_archive(served, tmp_path: Path, name: str) -> None:
    folder, url = served
    (folder / name).write_text("<html>Please log in</html>")
    refused(tmp_path / name, url, "md5:" + "0" * 32, f"no {name.split('.')[1]} archive but some page", "by hand")
    assert not list(tmp_path.glob(f"{name}*"))


def test_the_mirror_of_the_environment_comes_first(served, tmp_path: Path, monkeypatch, capsys) -> None:
    folder, url = served
    checksum = pack(folder / "a.zip")
    monkeypatch.setenv("ATTRACTOR_MIRROR", url.rstrip("/"))
    assert fetched(tmp_path / "a.zip", NOWHERE, checksum=checksum).exists()
    assert NOWHERE not in capsys.readouterr().err
    for mirror, reason in (("no address at all", "cannot be fetched"), (f"{url}elsewhere", "404")):
        monkeypatch.setenv("ATTRACTOR_MIRROR", mirror)
        path = tmp_path / reason / "a.zip"
        assert fetched(path, url, checksum=checksum).exists()
        assert re.search(rf"{reason}.*; trying the next address", capsys.readouterr().err)
        refused(path.with_name("b.zip"), url, checksum, f"{url}b.zip", "404")


def test_what_lies_there_is_used_as_it_is_and_that_is_said(tmp_path: Path, capsys) -> None:
    pack(tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()
    fetched(tmp_path / "a.zip", NOWHERE, checksum="md5:" + "0" * 32)
    said = capsys.readouterr().err
    assert "not the published archive" in said and hashlib.sha256(before).hexdigest() in said
    assert (tmp_path / "a.zip").read_bytes() == before


def test_a_record_of_another_file_is_named_where_a_download_is_refused(served, tmp_path: Path) -> None:
    folder, url = served
    pack(folder / "a.zip")
    (tmp_path / "a.zip.sha256").write_text("0" * 64)
    refused(tmp_path / "a.zip", url, None, "gave another file", f"delete {tmp_path / 'a.zip.sha256'} if")
    (tmp_path / "a.zip.sha256").unlink()
    assert fetched(tmp_path / "a.zip", url).exists()


def test_the_published_archive_is_right_whatever_lay_there_before(served, tmp_path: Path) -> None:
    folder, url = served
    checksum = pack(folder / "a.zip")
    (tmp_path / "a.zip.sha256").write_text("0" * 64)
    path = fetched(tmp_path / "a.zip", url, checksum=checksum)
    assert (tmp_path / "a.zip.sha256").read_text().strip() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_read_only_folder_is_left_alone(tmp_path: Path, capsys) -> None:
    pack(tmp_path / "a.zip")
    tmp_path.chmod(0o555)
    try:
        fetched(fetched(tmp_path / "a.zip", NOWHERE), NOWHERE)
        assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
        said = capsys.readouterr().err
        assert said.count("read-only") == 1 and not re.search("[0-9a-f]{64}", said)
    finally:
        tmp_path.chmod(0o755)
