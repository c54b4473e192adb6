"""Which network a checkpoint is, and one line for whatever keeps it from being one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import jax_weights, state_dict, write_npz, write_torch

from attractor.errors import InputError
from attractor.interop import convert
from attractor.models import ImageET, Selyne
from attractor.models.store import save_tensors
from parity import Arrays
from refusals import refusal

DESCENT = {"steps": 2, "step_size": 0.1}


@pytest.fixture
def jax(golden) -> Arrays:
    return jax_weights(golden("a2_bhoov_image_f32"))


def refused(path: Path, *said: str, **settings: object) -> None:
    with refusal(str(path), *said) as caught:
        convert(path, **settings)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [("a2_bhoov_image", ImageET, {}), ("b_torch_image_full", ImageET, DESCENT), ("e_selyne_tiny", Selyne, {})],
)
def test_the_container_does_not_matter(golden, tmp_path: Path, name: str, kind: type, settings: dict) -> None:
    arrays = golden(f"{name}_f32")
    weights = state_dict(arrays) or {n: torch.from_numpy(a) for n, a in jax_weights(arrays).items()}
    save_tensors(tmp_path / "w.safetensors", weights)
    write_npz(tmp_path / "w.npz", {n: t.numpy() for n, t in weights.items()})
    write_torch(tmp_path / "w.pt", {"state_dict": weights})
    first, *others = (convert(tmp_path / f"w.{end}", **settings) for end in ("safetensors", "npz", "pt"))
    assert type(first) is kind and not first.training
    for other in others:
        assert other.config == first.config
        torch.testing.assert_close(other.state_dict(), first.state_dict(), rtol=0, atol=0)


def test_another_network(tmp_path: Path) -> None:
    refused(write_torch(tmp_path / "w.pt", torch.nn.Linear(2, 2).state_dict()), "bias, weight", "SELYNE")
    refused(write_torch(tmp_path / "w.pt", {}), "holds nothing")


@pytest.mark.parametrize("name", ["Wq", "Benc", "LNORM_gamma", "POS_embed"])
def test_a_missing_array_is_named(jax: Arrays, tmp_path: Path, name: str) -> None:
    del jax[name]
    refused(write_npz(tmp_path / "w.npz", jax), f"without {name};")


def test_an_unknown_array_is_named(jax: Arrays, tmp_path: Path) -> None:
    refused(write_npz(tmp_path / "w.npz", jax | {"Wv": jax["Wq"]}), "with unknown Wv;")


@pytest.mark.parametrize(
    ("name", "shape"), [("Wk", (4, 9, 32)), ("Xi", (33, 128)), ("CLS_token", (2, 32)), ("LNORM_gamma", (32,))]
)
def test_a_wrong_shape_is_named(jax: Arrays, tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    refused(write_npz(tmp_path / "w.npz", jax | {name: np.ones(shape)}), f"{name} has shape {shape}")


@pytest.mark.parametrize(
    ("change", "said"),
    [("decoder.token_specific_latent.weight", "token_specific_latent"), ("blocks.1.attn.M", "blocks.1.attn.M")],
)
def test_a_wrong_shape_in_selyne_is_named(golden, tmp_path: Path, change: str, said: str) -> None:
    weights = state_dict(golden("e_selyne_tiny_f32"))
    weights[change] = torch.ones(3, 3)
    refused(write_torch(tmp_path / "w.pt", weights), said, "(3, 3)")


def test_a_selyne_of_its_own_class_run_lacks_most(golden, tmp_path: Path) -> None:
    weights = state_dict(golden("e_selyne_tiny_f32"))
    kept = {name: t for name, t in weights.items() if name.startswith(("encoder_head.", "proto_attn."))}
    refused(write_torch(tmp_path / "w.pt", kept), "without", "more")


def test_claimed_sizes_take_no_memory(golden, tmp_path: Path) -> None:
    """Small arrays whose sizes multiply: the product is compared with what is there before it is made."""
    weights = state_dict(golden("e_selyne_tiny_f32"))
    weights["classifier.weight"] = torch.ones(1, 10**7)
    refused(write_torch(tmp_path / "w.pt", weights), "10000000")


def test_foreign_settings_are_named(jax: Arrays, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "w.npz", jax)
    refused(path, "JAX image ET", "leave out heads", heads=4)
    refused(path, "leave out alpha", alpha=0.1)


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("step_size", -1.0), ("beta", float("nan"))])
def test_impossible_settings_are_named(jax: Arrays, tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must be"):
        convert(write_npz(tmp_path / "w.npz", jax), **{name: value})
