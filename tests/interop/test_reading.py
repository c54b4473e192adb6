"""Files that nobody should trust: each is refused in one line, before it takes memory, and none of them runs."""

from __future__ import annotations

import argparse
import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import write_npz, write_torch
from numpy.lib import format as npy
from torch import nn

from attractor.errors import InputError
from attractor.interop import reading
from attractor.interop.reading import read_tensors
from attractor.models.store import save_tensors
from refusals import refusal

WEIGHTS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(2.5, dtype=np.float32)}
TENSORS = {name: torch.from_numpy(a) for name, a in WEIGHTS.items()}


def refused(path: Path, *said: str) -> None:
    with refusal(str(path), *said) as caught:
        read_tensors(path)
    assert len(str(caught.value)) < 400


def write_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def member(shape: tuple[int, ...], content: bytes = b"", descr: str = "<f4") -> bytes:
    """An ``.npy`` whose header declares ``shape``, whatever follows it."""
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue() + content


def repacked(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """A ``torch.save`` with another pickle in it."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    return write_zip(path, {n: change(c) if n.endswith("/data.pkl") else c for n, c in members.items()})


# --- what is read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_any_precision_and_byte_order(tmp_path: Path, dtype: str, save: Callable) -> None:
    save(tmp_path / "w.npz", **{name: a.astype(dtype) for name, a in WEIGHTS.items()}, turned=WEIGHTS["a"].T)
    found = read_tensors(tmp_path / "w.npz")
    torch.testing.assert_close(found, {**TENSORS, "turned": TENSORS["a"].T}, rtol=0, atol=0)


@pytest.mark.parametrize("key", [None, *reading.INSIDE])
@pytest.mark.parametrize("wrapper", ["", *reading.WRAPPERS])
def test_state_dicts_as_they_are_found(tmp_path: Path, key: str | None, wrapper: str) -> None:
    weights = {wrapper + "a": nn.Parameter(TENSORS["a"]), wrapper + "b": TENSORS["b"].double()}
    settings = argparse.Namespace(alpha=10.0, name="et")
    saved = {key: weights, "epoch": 3, "args": settings} if key else weights
    torch.testing.assert_close(read_tensors(write_torch(tmp_path / "w.pth", saved)), TENSORS, rtol=0, atol=0)


def test_safetensors(tmp_path: Path) -> None:
    save_tensors(tmp_path / "w.safetensors", {"a": TENSORS["a"].bfloat16(), "b": TENSORS["b"]})
    torch.testing.assert_close(read_tensors(tmp_path / "w.safetensors"), TENSORS, rtol=0, atol=0)


# --- what is not ---------------------------------------------------------------------------------------------------


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path, "a folder")
    refused(tmp_path / "absent.npz", "no file")


@pytest.mark.parametrize("suffix", [".npz", ".pth", ".pt", ".safetensors", ".txt"])
@pytest.mark.parametrize("content", [b"", b"weights", b"\x80\x02]q\x00.", b"PK\x03\x04", b"\x89HDF\r\n", b"\xff" * 999])
def test_not_a_checkpoint(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(tmp_path: Path, share: float) -> None:
    weights = {"a": np.zeros((50, 40), np.float32)}
    save_tensors(tmp_path / "w.safetensors", {"a": torch.zeros(50, 40)})
    files = [write_npz(tmp_path / "w.npz", weights), write_torch(tmp_path / "w.pth", {"a": torch.zeros(50, 40)})]
    for path in [*files, tmp_path / "w.safetensors"]:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path)


def test_another_archive(tmp_path: Path) -> None:
    refused(write_zip(tmp_path / "w.npz", {"readme.txt": b"hello"}), "cannot be read")
    assert read_tensors(write_zip(tmp_path / "empty.npz", {})) == {}


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    refused(write_npz(tmp_path / "w.npz", {"a": np.ones(3), "b": np.array([1.0, bad])}), "b holds", "not finite")
    refused(write_torch(tmp_path / "w.pt", {"a": torch.tensor([bad], dtype=torch.float64)}), "a holds", "not finite")


@pytest.mark.parametrize("array", [np.arange(3), np.ones(2, bool), np.array(["x"]), np.ones(2, complex)])
def test_npz_of_something_else_than_floats(tmp_path: Path, array: np.ndarray) -> None:
    refused(write_npz(tmp_path / "w.npz", {"a": array}), "a.npy holds", "float32")


@pytest.mark.parametrize(
    "value",
    [
        torch.arange(3),
        torch.ones(3).to_sparse(),
        torch.ones(2, device="meta"),
        torch.ones(2, dtype=torch.complex64),
        "text",
        [1.0],
        None,
        {"deeper": torch.ones(2)},
    ],
)
def test_state_dict_of_something_else_than_dense_floats(tmp_path: Path, value: object) -> None:
    refused(write_torch(tmp_path / "w.pt", {"a": torch.ones(2), "b": value}), "b is no dense array")


def test_a_tensor_with_attributes_of_its_own(tmp_path: Path) -> None:
    trojan = torch.ones(2)
    trojan.detach = torch.Size  # an instance's attribute stands before its method
    refused(write_torch(tmp_path / "w.pt", {"a": trojan}), "a is no dense array")


@pytest.mark.parametrize("value", [[torch.ones(2)], torch.ones(2), {3: torch.ones(2)}, {"model": {1: torch.ones(2)}}])
def test_no_state_dict(tmp_path: Path, value: object) -> None:
    refused(write_torch(tmp_path / "w.pt", value), "no state dict")


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "n" * 999])
def test_names_that_would_spoil_the_screen(tmp_path: Path, name: str) -> None:
    refused(write_torch(tmp_path / "w.pt", {name: torch.ones(2)}), "no name")


# --- code ----------------------------------------------------------------------------------------------------------


class Bomb:
    """Pickles as a call that leaves a trace."""

    def __init__(self, function: Callable, *arguments: object):
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("place", ["value", "beside"])
@pytest.mark.parametrize("function", [os.mkdir, exec, print])
def test_code_is_named_and_not_run(tmp_path: Path, capsys, place: str, function: Callable) -> None:
    argument = f"import os; os.mkdir({str(tmp_path / 'trace')!r})" if function is exec else str(tmp_path / "trace")
    bomb = Bomb(function, argument)
    saved = {"a": bomb} if place == "value" else {"model": {"a": torch.ones(2)}, "optimizer": bomb}
    refused(write_torch(tmp_path / "w.pt", saved), "holds code", function.__name__, "refused")
    assert not (tmp_path / "trace").exists() and not capsys.readouterr().out


def test_whole_modules_and_object_arrays_are_code(tmp_path: Path) -> None:
    refused(write_torch(tmp_path / "w.pt", {"model": nn.Linear(2, 2)}), "holds code", "Linear")
    array = np.array([Bomb(os.mkdir, str(tmp_path / "trace"))], dtype=object)
    refused(write_npz(tmp_path / "w.npz", {"a": array}))
    assert not (tmp_path / "trace").exists()


def test_a_settings_record_is_allowed_for_this_file_alone(tmp_path: Path) -> None:
    read_tensors(write_torch(tmp_path / "w.pt", {"model": TENSORS, "args": argparse.Namespace(alpha=1)}))
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


# --- size ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers must not be read where their size is refused."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("numbers were read")

    monkeypatch.setattr(reading.npy, "read_array", fail)


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (2**62, 2**62), (-(10**12),)])
def test_npz_that_declares_more_than_it_holds(tmp_path: Path, no_memory: None, shape: tuple[int, ...]) -> None:
    refused(write_zip(tmp_path / "w.npz", {"a.npy": member(shape)}), "a.npy has", "declares")


def test_npz_that_unpacks_to_more_than_a_model(tmp_path: Path, no_memory: None, monkeypatch) -> None:
    monkeypatch.setattr(reading, "LIMIT", 2**22)
    content = member((2**19,), bytes(2**21))
    path = write_zip(tmp_path / "w.npz", {"a.npy": content, "b.npy": content, "c.npy": content}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**15
    refused(path, "more than", "refused")


def test_a_header_of_any_length(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(reading.npy, "read_array_header_1_0", None)
    content = npy.magic(2, 0) + (2**31).to_bytes(4, "little") + b" " * 2**12
    refused(write_zip(tmp_path / "w.npz", {"a.npy": content}), "(2, 0), not 1.0")


def test_safetensors_larger_than_a_model(tmp_path: Path) -> None:
    save_tensors(tmp_path / "w.safetensors", TENSORS)
    with (tmp_path / "w.safetensors").open("rb+") as file:
        file.truncate(2**33)  # a hole, not bytes
    refused(tmp_path / "w.safetensors", "4 GiB", "refused")


def test_more_arrays_than_a_model_has(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(reading, "MOST", 1)
    for path in (write_npz(tmp_path / "w.npz", WEIGHTS), write_torch(tmp_path / "w.pt", TENSORS)):
        refused(path, "2 arrays, more than 1")


def test_tensors_larger_than_their_file(tmp_path: Path) -> None:
    refused(write_torch(tmp_path / "w.pt", {"a": torch.zeros(1).expand(10**6, 10**6)}), "3,725 GiB", "refused")


def test_a_storage_that_claims_more_than_its_record(tmp_path: Path) -> None:
    """Believed, it would show what lies behind the file in memory."""
    path = write_torch(tmp_path / "w.pt", {"a": torch.arange(4.0)})
    bigger = b"J\xff\xff\xff\x0f"  # the whole number 2^28 - 1 in place of 4
    repacked(path, lambda content: content.replace(b"K\x04t", bigger + b"t").replace(b"K\x04\x85", bigger + b"\x85"))
    refused(path)


def test_compressed_torch_archive(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "w.pt", TENSORS)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    refused(write_zip(path, members, zipfile.ZIP_DEFLATED), "compressed")


def test_weights_that_are_not_those_that_were_written(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "w.pt", TENSORS)
    content = path.read_bytes()
    path.write_bytes(content.replace(WEIGHTS["a"].tobytes(), WEIGHTS["a"][::-1].tobytes()))
    assert path.read_bytes() != content
    refused(path, "damaged", "fetch it again")


# --- noise ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    draw = random.Random(0)
    files = [
        write_npz(tmp_path / "w.npz", WEIGHTS),
        write_torch(tmp_path / "w.pt", {"model": {**TENSORS, "c": nn.Parameter(torch.ones(2))}, "epoch": 3}),
    ]
    for path in files:
        whole, refusals = path.read_bytes(), 0
        for _ in range(300):
            broken = bytearray(whole)
            for _ in range(draw.choice((1, 3))):
                broken[draw.randrange(len(broken))] = draw.randrange(256)
            path.write_bytes(broken)
            try:
                read_tensors(path)
            except InputError as error:
                refusals += 1
                assert "\n" not in str(error)
        assert refusals > 30
