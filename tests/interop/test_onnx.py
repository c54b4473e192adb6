"""ONNX files: the numbers of the module, any number of examples, and no file where the numbers would differ."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from attractor.errors import InputError
from attractor.interop.onnx import Portable, write_onnx


class Affine(nn.Module):
    """``W x + b``, and the number of rows that it makes positive."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.map = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.map(x)
        return y, (y > 0).all(dim=1)


@pytest.fixture
def portable() -> Portable:
    return Portable(Affine(), {"x": torch.randn(4, 3)}, {"x": "rows"}, ("y", "positive"), {"made_for": "a test"})


def test_a_file_gives_the_modules_numbers_for_any_number_of_rows(portable: Portable, tmp_path: Path) -> None:
    assert write_onnx(portable, tmp_path / "affine.onnx") < 1e-6
    session = onnxruntime.InferenceSession(tmp_path / "affine.onnx")
    x = torch.randn(7, 3)
    y, positive = session.run(["y", "positive"], {"x": x.numpy()})
    expected = portable.module(x)
    np.testing.assert_allclose(y, expected[0].detach(), rtol=1e-5)
    assert np.array_equal(positive, expected[1])
    assert session.get_inputs()[0].shape == ["rows", 3]
    assert session.get_modelmeta().custom_metadata_map["made_for"] == "a test"


def test_a_file_of_other_numbers_is_not_written(portable: Portable, tmp_path: Path) -> None:
    class Changing(Affine):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y, positive = super().forward(x)
            return (y if torch.compiler.is_exporting() else 1.01 * y), positive

    before = tmp_path / "affine.onnx"
    before.write_text("what was there")
    with pytest.raises(RuntimeError, match="other numbers"):
        write_onnx(replace(portable, module=Changing()), before)
    assert before.read_text() == "what was there" and list(tmp_path.iterdir()) == [before]


@pytest.mark.parametrize("package", ["onnxruntime", "onnxscript"])
def test_missing_packages_are_named(portable: Portable, package: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=r"pip install 'attractor\[export\]'"):
        write_onnx(portable, tmp_path / "affine.onnx")
    assert not list(tmp_path.iterdir())
