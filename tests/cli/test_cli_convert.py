"""``attractor convert`` on the files of the published codes, and the folder it leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from commands import TINY, run

from attractor.models import ImageET, Selyne, SelyneConfig
from attractor.models.store import load_model, save_model


@pytest.fixture
def jax(golden, tmp_path: Path) -> Path:
    arrays = golden("a2_bhoov_image_f32")
    names = [n for n in arrays if n[0].isupper() and n != "E_total"]
    np.savez(tmp_path / "et.npz", **{name: arrays[name] for name in names})
    return tmp_path / "et.npz"


@pytest.fixture
def pytorch(golden, tmp_path: Path) -> Path:
    arrays = golden("b_torch_image_full_f32")
    weights = {n.removeprefix("sd/"): torch.from_numpy(a) for n, a in arrays.items() if n.startswith("sd/")}
    torch.save({"model": weights}, tmp_path / "et.pth")
    return tmp_path / "et.pth"


@pytest.fixture
def selyne(tmp_path: Path) -> tuple[Path, Selyne]:
    model = Selyne(TINY)
    torch.save(model.state_dict(), tmp_path / "selyne.pt")
    return tmp_path / "selyne.pt", model


def test_jax(jax: Path, tmp_path: Path) -> None:
    done = run("convert", jax, "-o", tmp_path / "et")
    assert done.returncode == 0, done.stderr
    model = load_model(tmp_path / "et")
    assert isinstance(model, ImageET)
    count = sum(p.numel() for p in model.parameters())
    assert done.stdout == f"{tmp_path / 'et'}: ImageET, {count:,} parameters\n"
    said = " ".join(done.stderr.split())
    assert said.endswith("image_size (16, 16), steps 12, step_size 0.1, beta 1/sqrt(head_dim)")
    assert sorted(p.name for p in (tmp_path / "et").iterdir()) == ["config.json", "model.safetensors"]


def test_pytorch_with_everything_said(pytorch: Path, tmp_path: Path) -> None:
    settings = ("--steps", 4, "--step-size", 0.25, "--beta", 0.3, "--image-size", 16, 64)
    done = run("convert", pytorch, "-o", tmp_path / "et", *settings)
    assert (done.returncode, done.stderr) == (0, "")
    config = load_model(tmp_path / "et").config
    assert (config.steps, config.step_size, config.beta, config.image_size) == (4, 0.25, 0.3, (16, 64))


def test_selyne_is_a_model_for_the_other_commands(selyne: tuple[Path, Selyne], pictures: Path, tmp_path: Path) -> None:
    path, model = selyne
    done = run("convert", path, "-o", tmp_path / "selyne")
    assert done.returncode == 0 and "image_size (64, 64)" in done.stderr, done.stderr
    torch.testing.assert_close(load_model(tmp_path / "selyne").state_dict(), model.state_dict(), rtol=0, atol=0)
    assert run("inspect", tmp_path / "selyne", "--json").returncode == 0
    fitted = run("detect", "fit", pictures / "train", "-o", tmp_path / "detector", "--model", tmp_path / "selyne")
    assert fitted.returncode == 0, fitted.stderr


def test_standard_attention_needs_its_heads(tmp_path: Path) -> None:
    model = Selyne(SelyneConfig(**{**TINY.to_dict(), "attention": "standard"}))
    torch.save(model.state_dict(), tmp_path / "selyne.pt")
    assert "set heads" in run("convert", tmp_path / "selyne.pt", "-o", tmp_path / "m").stderr
    assert run("convert", tmp_path / "selyne.pt", "-o", tmp_path / "m", "--heads", TINY.heads).returncode == 0
    torch.testing.assert_close(load_model(tmp_path / "m").state_dict(), model.state_dict(), rtol=0, atol=0)
    assert load_model(tmp_path / "m").config.heads == TINY.heads


def test_bad_input_is_one_line_and_leaves_nothing(pytorch: Path, tmp_path: Path) -> None:
    (tmp_path / "junk.pt").write_bytes(b"junk")
    for file, reason in {pytorch: "set steps", tmp_path / "junk.pt": "no .npz", tmp_path: "a folder"}.items():
        done = run("convert", file, "-o", tmp_path / "out")
        assert (done.returncode, done.stdout) == (2, "") and reason in done.stderr, done
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_model_is_not_written_over(jax: Path, tmp_path: Path) -> None:
    save_model(Selyne(TINY), tmp_path / "mine")
    done = run("convert", jax, "-o", tmp_path / "mine")
    assert done.returncode == 2 and "holds a finished model" in done.stderr
    assert load_model(tmp_path / "mine").config == TINY
