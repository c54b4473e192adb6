"""The SELYNE checkpoint through the converter: the golden outputs, and every size that the shapes show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from checkpoints import state_dict, write_torch

from attractor.errors import InputError
from attractor.interop import convert
from attractor.interop.selyne import read
from attractor.models import Selyne, SelyneConfig
from attractor.models.store import load_model, save_model
from parity import PRECISIONS, assert_golden

TINY = SelyneConfig(
    image_size=(32, 32), dim=24, latent=6, heads=3, depth=2, decoder_depth=1, prototypes=5, classes=7, mlp_ratio=2.0
)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_golden(golden, tmp_path: Path, precision: str) -> None:
    arrays, dtype = golden(f"e_selyne_tiny_{precision}"), PRECISIONS[precision]
    save_model(convert(write_torch(tmp_path / "selyne.pt", state_dict(arrays))), tmp_path / "selyne")
    model = load_model(tmp_path / "selyne").to(dtype)
    encoding, reconstruction, logits = model(torch.from_numpy(arrays["x"]).to(dtype))
    found = {"z": encoding.z, "patch_out": encoding.patches, "recon": reconstruction, "logits": logits}
    for name, value in found.items():
        assert_golden(value, arrays[name], name)


def test_the_full_model_has_the_published_sizes(golden_folder: Path) -> None:
    rows = (golden_folder / "e_selyne_full_parameters.txt").read_text().splitlines()
    listed = [line.split("\t") for line in rows if line.count("\t") == 2]
    shapes = {name: [int(n) for n in shape.strip("(),").split(",") if n] for name, shape, _ in listed}
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    assert read("selyne.pt", tensors)[0] == SelyneConfig(decoder_depth=6)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": 1},
        {"patch_sizes": (4, 16)},
        {"attention": "standard"},
        {"depth": 11, "decoder_depth": 12},
        {"image_size": (16, 64)},
    ],
)
def test_sizes_come_from_the_shapes(tmp_path: Path, changes: dict) -> None:
    model = Selyne(SelyneConfig(**{**TINY.to_dict(), **changes}))
    settings = {"heads": 3} if "attention" in changes else {}
    settings |= {"image_size": changes["image_size"]} if "image_size" in changes else {}
    found = convert(write_torch(tmp_path / "selyne.pt", model.state_dict()), **settings)
    assert found.config == model.config and not found.training
    torch.testing.assert_close(found.state_dict(), model.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("attention", "settings", "message"),
    [("standard", {}, "does not show its heads; set heads"), ("gloeba", {"heads": 3}, "leave out heads")],
)
def test_heads_are_said_once(tmp_path: Path, attention: str, settings: dict, message: str) -> None:
    model = Selyne(SelyneConfig(**{**TINY.to_dict(), "attention": attention}))
    with pytest.raises(InputError, match=message):
        convert(write_torch(tmp_path / "selyne.pt", model.state_dict()), **settings)
