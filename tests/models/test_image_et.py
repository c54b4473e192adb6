"""In-painting by descent: what is hidden acts by its mask token alone, nothing is drawn, any grid will do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attractor.models import ImageET, ImageETConfig
from attractor.models.patches import patchify, unpatchify
from refusals import refusal

CONFIG = ImageETConfig(image_size=(16, 24), patch=4, dim=24, heads=2, head_dim=8, memories=16, steps=3, step_size=0.3)


@pytest.fixture
def model() -> ImageET:
    torch.manual_seed(0)
    model = ImageET(CONFIG).eval()
    for parameter in model.parameters():  # as small as they begin, hardly anything would show
        parameter.data.mul_(5)
    return model


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 16, 24)


@pytest.fixture
def hidden() -> Tensor:
    return torch.rand(3, 24) < 0.5


def test_the_forward_pass_is_the_published_one(images: Tensor, hidden: Tensor) -> None:
    model = ImageET(CONFIG).double()
    images = images.double()
    patches = patchify(images, 4) @ model.encoder.weight.T + model.encoder.bias
    patches[hidden] = model.mask_token
    x = torch.cat([model.cls_token.expand(3, 1, 24), patches], dim=1) + model.positions
    norm, energy = model.descents[0].norm, model.descents[0].energy
    for _ in range(3):
        g = norm(x).detach().requires_grad_()
        x = x - 0.3 * torch.autograd.grad(energy.energy(g).sum(), g)[0]
    expected = norm(x)[:, 1:] @ model.decoder.weight.T + model.decoder.bias
    torch.testing.assert_close(model(images, hidden), expected, rtol=1e-5, atol=1e-6)  # the encoder reads in float32


def test_what_is_hidden_acts_by_the_mask_token_alone(model: ImageET, images: Tensor, hidden: Tensor) -> None:
    pixels = unpatchify(hidden.unsqueeze(-1).expand(-1, -1, 48), (4, 6), 4)
    other = torch.where(pixels, torch.randn_like(images), images)
    assert torch.equal(model(images, hidden), model(other, hidden))
    assert not torch.equal(model(images), model(other))
    shown = hidden.clone()
    shown[:, hidden[0].nonzero()[0]] = False
    assert not torch.allclose(model(images, hidden), model(images, shown))


def test_every_given_pixel_comes_back_as_it_is(model: ImageET, images: Tensor, hidden: Tensor) -> None:
    filled = patchify(model.inpaint(images, hidden), 4)
    assert torch.equal(filled[~hidden], patchify(images, 4)[~hidden])
    assert torch.equal(filled[hidden], model(images, hidden)[hidden])


@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_drawn(model: ImageET, images: Tensor, hidden: Tensor, training: bool) -> None:
    model.train(training)
    state = torch.get_rng_state()
    first, second = model(images, hidden), model(images, hidden)
    assert torch.equal(first, second) and torch.equal(torch.get_rng_state(), state)


def test_samples_do_not_act_on_each_other(model: ImageET, images: Tensor, hidden: Tensor) -> None:
    torch.testing.assert_close(model(images, hidden)[1:2], model(images[1:2], hidden[1:2]))


def test_positions_of_another_grid_are_interpolated(model: ImageET) -> None:
    assert model.positions_on((4, 6)) is model.positions
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij")
    ramp = torch.stack([rows, columns], dim=-1).flatten(0, 1)
    model.positions.data[1:, :2] = ramp
    finer = model.positions_on((8, 12))
    assert torch.equal(finer[0], model.positions[0])
    inner = finer[1:, :2].unflatten(0, (8, 12))[3:5, 3:-3]  # the border has no neighbours to go by
    torch.testing.assert_close(inner[0, :, 0], torch.full((6,), 1.25), atol=0.06, rtol=0)  # cubic
    torch.testing.assert_close(inner[0, :, 1], torch.arange(1.25, 4.0, 0.5), atol=0.06, rtol=0)


@pytest.mark.parametrize("size", [(16, 16), (32, 48), (4, 4)])
def test_images_of_other_sizes_are_painted(model: ImageET, size: tuple[int, int]) -> None:
    images, count = torch.randn(2, 3, *size), size[0] * size[1] // 16
    hidden = torch.arange(count).expand(2, -1) % 2 == 0
    filled = model.inpaint(images, hidden)
    assert filled.shape == images.shape and filled.isfinite().all()
    assert torch.equal(patchify(filled, 4)[~hidden], patchify(images, 4)[~hidden])


def test_inference_mode_and_export_need_no_autograd(model: ImageET, images: Tensor, hidden: Tensor) -> None:
    expected = model(images, hidden).detach()
    with torch.inference_mode():
        torch.testing.assert_close(model(images, hidden), expected)
    free = {0: torch.export.Dim("images", min=1)}
    exported = torch.export.export(model, (images, hidden), dynamic_shapes=(free, free)).module()
    torch.testing.assert_close(exported(images, hidden), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(exported(images[:1], hidden[:1]), expected[:1], rtol=1e-4, atol=1e-5)


def test_every_parameter_but_the_readout_of_no_token_learns(model: ImageET, images: Tensor, hidden: Tensor) -> None:
    model(images, hidden).square().mean().backward()
    still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_a_walk_has_a_trace_for_every_block(images: Tensor, hidden: Tensor) -> None:
    model = ImageET(ImageETConfig(**{**CONFIG.to_dict(), "blocks": 2}))
    x, traces = model.evolve(model.tokens(images, hidden), trace="tokens", steps=5)
    assert [len(trace.energies) for trace in traces] == [6, 6]
    assert torch.equal(traces[0].tokens[-1], traces[1].tokens[0])
    assert torch.equal(traces[1].tokens[-1], x.detach())


@pytest.mark.parametrize(
    ("shape", "hidden_shape", "dtype", "word"),
    [
        ((1, 3, 16, 22), (1, 24), torch.bool, "multiples of 4"),
        ((1, 1, 16, 24), (1, 24), torch.bool, r"\(B, 3, H, W\)"),
        ((3, 16, 24), (1, 24), torch.bool, "images of shape"),
        ((1, 3, 16, 24), (1, 25), torch.bool, "one a patch"),
        ((1, 3, 16, 24), (1, 24), torch.float32, "must be bool"),
    ],
)
def test_what_does_not_fit_is_refused(model: ImageET, shape: tuple, hidden_shape: tuple, dtype, word: str) -> None:
    with refusal(match=word):
        model(torch.zeros(shape), torch.zeros(hidden_shape, dtype=dtype))
