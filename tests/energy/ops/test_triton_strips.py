"""The Triton kernels: registered, compiled for a GPU that need not be there, and their numbers by interpretation."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from attractor.energy.ops import triton_strips

INTERPRETED = Path(__file__).with_name("interpreted_triton.py")
EVERY_CARD = 99 * 1024  # bytes of shared memory a program may have on any card since Ampere
FLOAT32 = ("lse", "dlse", "shift", "middle")

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")


def in_a_process(*arguments: str, **environment: str) -> str:
    """Run python on ``arguments``; returns what it printed, fails with it if it failed."""
    done = subprocess.run(
        [sys.executable, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


@needs_triton
def test_numbers_under_the_interpreter() -> None:
    import triton

    if version(np.__version__) >= (2, 4) and version(triton.__version__) < (3, 9):
        pytest.skip(f"the interpreter of triton {triton.__version__} does not run with numpy {np.__version__}")
    arguments = ("-m", "pytest", "-p", "no:cacheprovider", str(INTERPRETED))
    assert " passed" in in_a_process(*arguments, TRITON_INTERPRET="1", OMP_NUM_THREADS="1")


@needs_triton
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="TRITON_INTERPRET is set")
@pytest.mark.parametrize("name", ["row_forward", "key_forward", "row_backward", "key_backward"])
def test_compiles_for_an_h100(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from attractor.energy.ops import triton_kernels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(triton_kernels, name)
    own, other, warps = triton_strips.TILINGS[2, 64]["backward" in name]
    constants = {"Y": 64, "D": 64, "MASKED": True, "INCLUDE_SELF": False, "PRECISION": "ieee"}
    constants |= {"OWN": own, "OTHER": other}
    pointers = {"absent": "*u8", "N": "i32"} | dict.fromkeys(FLOAT32, "*fp32")
    signature = {p: "constexpr" if p in constants else pointers.get(p, "*bf16") for p in kernel.arg_names}
    options = {"num_warps": warps, "num_stages": triton_strips.STAGES, "enable_fp_fusion": True}
    compiled = compile(ASTSource(kernel, signature, constants), GPUTarget("cuda", 90, 32), options)
    assert "wgmma" in compiled.asm["ptx"]  # Hopper's products of tiles
    assert compiled.metadata.shared <= EVERY_CARD


def test_the_operators_have_kernels_where_there_is_triton() -> None:
    for name in ("align", "align_gradient"):
        found = torch._C._dispatch_has_kernel_for_dispatch_key(f"attractor::{name}", "CUDA")
        assert found == triton_strips.installed()


ABSENT = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "triton" else find(name, *rest)
"""
IMPORT = """
import sys
import torch
before = "triton" in sys.modules
from attractor.energy.ops import strips
assert before or "triton" not in sys.modules
print(torch._C._dispatch_has_kernel_for_dispatch_key("attractor::align", "CUDA"))
"""


@needs_triton
@pytest.mark.parametrize("absent", [False, True])
def test_importing_attractor_neither_needs_nor_imports_triton(absent: bool) -> None:
    printed = in_a_process("-c", (ABSENT if absent else "") + IMPORT)
    assert printed.split()[-1] == str(not absent)


@pytest.mark.parametrize(
    ("shape", "dtype", "taken"),
    [
        ((2, 5, 4), torch.float32, True),
        ((2, 5, 256), torch.bfloat16, True),
        ((2, 5, 257), torch.bfloat16, False),
        ((2, 5, 4), torch.float64, False),
        ((0, 5, 4), torch.float32, False),
    ],
)
def test_what_the_kernels_leave_to_strips(shape: tuple[int, ...], dtype: torch.dtype, taken: bool) -> None:
    assert triton_strips.takes(torch.zeros(shape, dtype=dtype)) == taken


@needs_triton
@pytest.mark.skipif(torch.cuda.is_available(), reason="triton runs here")
@pytest.mark.parametrize(("capability", "told"), [((7, 5), False), ((9, 0), True)])
def test_a_triton_that_does_not_run_is_done_without(
    capability: tuple[int, int], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    triton_strips._ready.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert not triton_strips._ready(torch.device("cuda", 0))
    triton_strips._ready.cache_clear()
    assert ["triton does not run" in str(w.message) for w in caught] == [True] * told


def test_every_tile_is_one_that_products_take() -> None:
    sizes = {size for tilings in triton_strips.TILINGS.values() for own, other, _ in tilings for size in (own, other)}
    assert all(size >= 16 and size & (size - 1) == 0 for size in sizes)
    assert {(size, width) for size in (2, 4) for width in (64, 128, 256)} == set(triton_strips.TILINGS)
