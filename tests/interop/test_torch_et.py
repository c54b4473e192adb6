"""The PyTorch checkpoint through the converter does what the published code did, array by array, gradients too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from checkpoints import state_dict, write_torch
from torch import Tensor

from attractor.energy import Context
from attractor.errors import InputError
from attractor.interop import convert
from attractor.models import ImageET
from attractor.models.store import load_model, save_model
from parity import PRECISIONS, Arrays, assert_golden

CASES = {"basic": {"steps": 12, "step_size": 0.1}, "full": {"steps": 4, "step_size": 0.25, "beta": 0.3}}


@pytest.fixture(params=[f"{case}_{precision}" for case in CASES for precision in PRECISIONS])
def arrays(golden, request: pytest.FixtureRequest) -> Arrays:
    return golden(f"b_torch_image_{request.param}")


@pytest.fixture
def model(arrays: Arrays, tmp_path: Path) -> ImageET:
    """Converted, saved as ours and loaded again, in the precision of the arrays."""
    path = write_torch(tmp_path / "et.pth", state_dict(arrays))
    save_model(convert(path, **CASES["full" if "attn_mask" in arrays else "basic"]), tmp_path / "et")
    return load_model(tmp_path / "et").to(torch.from_numpy(arrays["loss"]).dtype)


def tensor(model: ImageET, arrays: Arrays, name: str) -> Tensor:
    return torch.from_numpy(arrays[name]).to(next(model.parameters()).dtype)


def hidden_of(arrays: Arrays) -> Tensor:
    hidden = torch.zeros(2, 64, dtype=torch.bool)
    hidden[torch.from_numpy(arrays["batch_id"]), torch.from_numpy(arrays["mask_id"])] = True
    return hidden


def context_of(model: ImageET, arrays: Arrays) -> Context | None:
    """The published attention mask multiplies the scores."""
    return Context(weights=tensor(model, arrays, "attn_mask")) if "attn_mask" in arrays else None


def outcome(model: ImageET, arrays: Arrays, hidden: Tensor | None) -> Tensor:
    """Tokens at the end of the descent."""
    x = model.tokens(tensor(model, arrays, "images"), hidden)
    return model.evolve(x, context=context_of(model, arrays))[0]


def test_descent_is_the_published_one(model: ImageET, arrays: Arrays) -> None:
    x = model.tokens(tensor(model, arrays, "images"), hidden_of(arrays))
    assert_golden(x, arrays["tokens_prepared"], "tokens_prepared")
    x, traces = model.evolve(x, trace=True, context=context_of(model, arrays))
    assert_golden(x, arrays["tokens_final"], "tokens_final")
    energies = torch.cat([*(trace.energies[:-1] for trace in traces), traces[-1].energies[-1:]])
    assert_golden(energies, arrays["energies_per_sample"], "energies_per_sample")
    assert_golden(energies.sum(dim=1), arrays["energies"], "energies")


def test_patches_are_the_published_ones(model: ImageET, arrays: Arrays) -> None:
    x = outcome(model, arrays, hidden_of(arrays))
    assert_golden(model.read(x), arrays["out_patches"], "out_patches")
    assert_golden(model.read(x[:, [0, 0]]), arrays["out_cls"], "out_cls")  # the CLS token read as if it were a patch
    assert_golden(model.read(outcome(model, arrays, None)), arrays["out_patches_no_mask"], "out_patches_no_mask")


def test_loss_and_its_gradients_are_the_published_ones(model: ImageET, arrays: Arrays) -> None:
    hidden = hidden_of(arrays)
    patches = model.read(outcome(model, arrays, hidden))
    loss = (patches - tensor(model, arrays, "patches_in"))[hidden].square().mean()
    assert_golden(loss, arrays["loss"], "loss")
    loss.backward()
    found = published_gradients(model)
    assert {f"grad/{name}" for name in found} == {name for name in arrays if name.startswith("grad/")}
    scale = 1e-2 * max(abs(arrays[f"grad/{name}"]).max() for name in found)
    for name, gradient in found.items():
        assert_golden(gradient.reshape(arrays[f"grad/{name}"].shape), arrays[f"grad/{name}"], name, scale)


def published_gradients(model: ImageET) -> dict[str, Tensor]:
    """Our gradients by the published names; a bias shared by the heads has the sum of theirs."""
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    names = {"cls": "cls_token", "mask": "mask_token", "pos.weight": "positions"}
    modules = {"encode.0": "encoder", "decode.0": "readout", "decode.1": "decoder"}
    names |= {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in modules.items() for part in ("weight", "bias")}
    found = {theirs: grads[ours] for theirs, ours in names.items()}
    for i in range(model.config.blocks):
        own = {n.removeprefix(f"blocks.{i}."): g for n, g in grads.items() if n.startswith(f"blocks.{i}.")}
        block = {
            "0.gamma": own["norm.gamma"],
            "0.bias": own["norm.delta"],
            "1.hn.proj.weight": own["energy.terms.1.xi"],
        }
        block |= dict(zip(("1.attn.wq", "1.attn.wk"), own["energy.terms.0.W"], strict=True))
        if model.config.attention_bias:
            shared = own["energy.terms.0.bias"].sum(dim=1)
            block |= dict(zip(("1.attn.bq", "1.attn.bk"), shared, strict=True))
        if model.config.memory_bias:
            block["1.hn.proj.bias"] = own["energy.terms.1.bias"]
        found |= {f"blocks.{i}.{name}": gradient for name, gradient in block.items()}
    return found


def test_quirks_and_sizes(golden, tmp_path: Path) -> None:
    path = write_torch(tmp_path / "et.pth", state_dict(golden("b_torch_image_full_f32")))
    config = convert(path, steps=4, step_size=0.25).config
    assert (config.readout, config.readout_eps, config.include_self) == ("layer", 32.0, True)
    assert (config.blocks, config.memories, config.attention_bias, config.memory_bias) == (2, 64, True, True)
    assert (config.image_size, config.patch, config.dim, config.heads, config.head_dim) == ((32, 32), 4, 32, 4, 8)


@pytest.mark.parametrize("settings", [{}, {"steps": 12}, {"step_size": 10.0}])
def test_a_descent_the_file_does_not_describe_is_asked_for(golden, tmp_path: Path, settings: dict) -> None:
    path = write_torch(tmp_path / "et.pth", state_dict(golden("b_torch_image_basic_f32")))
    with pytest.raises(InputError, match="set steps and step_size"):
        convert(path, **settings)


def test_a_half_given_bias_is_missing_its_other_half(golden, tmp_path: Path) -> None:
    weights = state_dict(golden("b_torch_image_full_f32"))
    del weights["blocks.1.1.attn.bk"], weights["blocks.0.1.hn.proj.bias"]
    path = write_torch(tmp_path / "et.pth", weights)
    with pytest.raises(InputError, match=r"without blocks\.0\.1\.hn\.proj\.bias, blocks\.1\.1\.attn\.bk;"):
        convert(path, steps=4, step_size=0.25)
