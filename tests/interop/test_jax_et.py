"""The JAX checkpoint through the converter does what the published code did, array by array."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import jax_weights, write_npz
from torch import Tensor

from attractor.errors import InputError
from attractor.interop import convert
from attractor.models import ImageET
from attractor.models.patches import patchify, unpatchify
from attractor.models.store import load_model, save_model
from parity import PRECISIONS, Arrays, assert_golden


@pytest.fixture(params=PRECISIONS)
def arrays(golden, request: pytest.FixtureRequest) -> Arrays:
    return golden(f"a2_bhoov_image_{request.param}")


@pytest.fixture
def model(arrays: Arrays, tmp_path: Path) -> ImageET:
    """Converted, saved as ours and loaded again, in the precision of the arrays."""
    save_model(convert(write_npz(tmp_path / "et.npz", jax_weights(arrays))), tmp_path / "et")
    return load_model(tmp_path / "et").to(torch.from_numpy(arrays["E_total"]).dtype)


def given(model: ImageET, arrays: Arrays) -> tuple[Tensor, Tensor]:
    """The image and the hidden patches, as a batch of one."""
    dtype = next(model.parameters()).dtype
    return torch.from_numpy(arrays["image"]).to(dtype)[None], torch.from_numpy(arrays["mask"]).bool()[None]


def test_descent_is_the_published_one(model: ImageET, arrays: Arrays) -> None:
    image, hidden = given(model, arrays)
    assert_golden(patchify(image, 4)[0], arrays["patches"].reshape(16, -1), "patches")
    x = model.tokens(image, hidden)
    assert_golden(x[0], arrays["tokens_prepared"], "tokens_prepared")
    x, (trace,) = model.evolve(x, trace=True)
    assert_golden(x[0], arrays["tokens_final"], "tokens_final")
    assert_golden(trace.energies[:, 0], arrays["E_total"], "E_total")


@pytest.mark.parametrize(
    ("readout", "name"), [("norm-twice", "image_out_official_double_ln"), ("norm", "image_out_single_ln")]
)
def test_picture_is_the_published_one(model: ImageET, arrays: Arrays, readout: str, name: str) -> None:
    assert model.config.readout == "norm-twice"
    model.config = replace(model.config, readout=readout)
    image, hidden = given(model, arrays)
    assert_golden(unpatchify(model(image, hidden), (4, 4), 4)[0], arrays[name], name)


def test_settings_and_what_a_file_leaves_open(golden, tmp_path: Path) -> None:
    weights = jax_weights(golden("a2_bhoov_image_f32"))
    path = write_npz(tmp_path / "et.npz", weights)
    config = convert(path, steps=3, step_size=0.5, beta=2.0, image_size=(8, 32)).config
    assert (config.steps, config.step_size, config.beta, config.image_size) == (3, 0.5, 2.0, (8, 32))
    config = convert(path).config
    assert (config.steps, config.step_size, config.beta, config.image_size) == (12, 0.1, None, (16, 16))
    assert (config.dim, config.heads, config.head_dim, config.memories, config.patch) == (32, 4, 8, 128, 4)
    assert config.include_self


def test_tokens_with_a_leading_one_are_tokens(golden, tmp_path: Path) -> None:
    weights = jax_weights(golden("a2_bhoov_image_f32"))
    plain = convert(write_npz(tmp_path / "plain.npz", weights)).state_dict()
    weights |= {name: weights[name][None] for name in ("CLS_token", "MASK_token", "LNORM_gamma")}
    torch.testing.assert_close(convert(write_npz(tmp_path / "et.npz", weights)).state_dict(), plain, rtol=0, atol=0)


def test_a_token_too_many_is_no_square(golden, tmp_path: Path) -> None:
    weights = jax_weights(golden("a2_bhoov_image_f32"))
    weights["POS_embed"] = np.concatenate([weights["POS_embed"]] * 2)
    with pytest.raises(InputError, match="33 patches of 4 x 4 pixels, which 20 x 20 has not; set image_size"):
        convert(write_npz(tmp_path / "et.npz", weights))
    assert convert(tmp_path / "et.npz", image_size=(12, 44)).config.image_size == (12, 44)
