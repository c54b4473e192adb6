"""SELYNE against the golden arrays and the published parameter list, and in the shapes the published code fails on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attractor.errors import InputError
from attractor.models import Selyne, SelyneConfig
from attractor.models.selyne import drop_patches
from attractor.scoring.reconstruction import _terms, reconstruction_energy
from parity import IMPLEMENTATIONS, PRECISIONS, assert_golden, assert_golden_gradients, attention_by, load_golden

GOLDEN = SelyneConfig(image_size=(32, 32), dim=64, latent=32, heads=4, depth=2, prototypes=4, classes=20)


def tiny(**changes: object) -> Selyne:
    sizes = {
        "image_size": (16, 16),
        "patch_sizes": (8,),
        "dim": 12,
        "latent": 6,
        "heads": 3,
        "depth": 2,
        "prototypes": 2,
        "classes": 4,
    }
    return Selyne(SelyneConfig(**{**sizes, **changes})).eval()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_golden(golden, implementation: str, precision: str) -> None:
    arrays, dtype = golden(f"e_selyne_tiny_{precision}"), PRECISIONS[precision]
    model = load_golden(Selyne(GOLDEN), arrays, dtype)
    images, labels = torch.from_numpy(arrays["x"]).to(dtype), torch.from_numpy(arrays["labels"])
    with attention_by(implementation):
        encoding, reconstruction, logits = model(images)
    energy = reconstruction_energy(images, reconstruction)
    classification = F.cross_entropy(logits, labels, label_smoothing=0.03)
    prototypes = F.cross_entropy(model.prototype_logits(encoding.z), labels)
    total = energy.mean() + classification + prototypes
    found = {
        "z": encoding.z,
        "patch_out": encoding.patches,
        "recon": reconstruction,
        "logits": logits,
        "score_components": _terms(images, reconstruction),
        "score_diaphone": energy,
        "compute_loss": energy.mean(),
        "loss_cls": classification,
        "loss_proto": prototypes,
        "loss_pretrain_total": total,
    }
    for name, value in found.items():
        assert_golden(value, arrays[name], name)
    total.backward()
    assert_golden_gradients(model, arrays)


def test_implementations_agree_with_their_first_gradients() -> None:
    model, images = tiny(patch_sizes=(4, 8)).double(), torch.randn(2, 3, 16, 16, dtype=torch.float64)
    found = []
    for name in IMPLEMENTATIONS:
        with attention_by(name):
            encoding, reconstruction, logits = model(images)
        loss = encoding.z.sin().sum() + reconstruction.square().mean() + logits.cos().sum()
        used = [p for n, p in model.named_parameters() if n != "proto_log_tau"]
        found.append([encoding.z, reconstruction, logits, *torch.autograd.grad(loss, used)])
    for explicit, fused in zip(*found, strict=True):
        torch.testing.assert_close(explicit, fused, rtol=1e-9, atol=1e-11)


def test_state_dict_is_the_published_one(golden_folder: Path) -> None:
    listed = (golden_folder / "e_selyne_full_parameters.txt").read_text()
    rows = [line.split("\t") for line in listed.splitlines() if line.count("\t") == 2]
    published = {name: shape for name, shape, _ in rows}
    with torch.device("meta"):
        ours = {name: str(tuple(t.shape)) for name, t in Selyne(SelyneConfig()).state_dict().items()}
    assert ours == published


@pytest.mark.parametrize(("attention", "count"), [("gloeba", 59_294_922), ("standard", 62_053_386)])
def test_parameter_count_is_the_published_one(attention: str, count: int) -> None:
    with torch.device("meta"):
        model = Selyne(SelyneConfig(attention=attention))
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("patch_sizes", [(8, 16), (4, 8), (8,)])
@pytest.mark.parametrize("image_size", [(32, 64), (96, 64), (32, 32)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("attention", ["gloeba", "standard"])
def test_works_at_every_scale_size_and_channel_count(
    patch_sizes: tuple[int, ...], image_size: tuple[int, int], channels: int, attention: str
) -> None:
    model = tiny(patch_sizes=patch_sizes, image_size=image_size, channels=channels, attention=attention)
    images = torch.randn(2, channels, *image_size)
    encoding, reconstruction, logits = model(images)
    tokens = sum(image_size[0] * image_size[1] // p**2 for p in patch_sizes)
    assert encoding.patches.shape == (2, tokens, 12)
    assert [h.shape for h in encoding.hidden] == [(2, 1 + tokens, 12)] * 2
    assert (encoding.z.shape, encoding.cls.shape, logits.shape) == ((2, 6), (2, 12), (2, 4))
    assert reconstruction.shape == images.shape
    (reconstruction.square().mean() + logits.square().mean()).backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None and n != "proto_log_tau"]
    assert idle == []


def test_each_image_is_encoded_alone() -> None:
    model, images = tiny(patch_sizes=(4, 8)).double(), torch.randn(3, 3, 16, 16, dtype=torch.float64)
    together = model(images)
    alone = model(images[1:2])
    torch.testing.assert_close(together[0].z[1:2], alone[0].z)
    torch.testing.assert_close(together[1][1:2], alone[1])


def test_decoder_learns_to_paint_a_picture_at_several_scales() -> None:
    """A mirrored, transposed or misplaced patch could not be learnt from the patches of other pictures."""
    model, target = tiny(patch_sizes=(4, 8), image_size=(8, 16)), torch.zeros(1, 3, 8, 16)
    target[:, 0, :3, :5], target[:, 2, 5:, 11:] = 1.0, -1.0
    optimizer = torch.optim.Adam(model.decoder.parameters(), lr=0.02)
    encoding = model.encode(target)
    z, patches = encoding.z.detach(), encoding.patches.detach()
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (model.decoder(z, patches) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 < losses[0]


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 1, 16, 16), (2, 3, 16, 8), (2, 3, 8, 16), (2, 3, 32, 32)])
def test_wrong_shapes_are_refused_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as caught:
        tiny().encode(torch.zeros(shape))
    message = str(caught.value)
    assert str(shape) in message and "(B, 3, 16, 16)" in message and "\n" not in message


@pytest.mark.parametrize(("keep", "kept"), [(0.5, 10), (0.24, 5), (0.01, 1), (1.0, 20)])
def test_keep_goes_on_with_that_share_of_the_patches(keep: float, kept: int) -> None:
    model, images = tiny(patch_sizes=(4, 8)), torch.randn(2, 3, 16, 16)  # 16 + 4 patches
    assert model.decode(model.encode(images, keep)).shape == images.shape
    model.blocks = nn.ModuleList([nn.Identity()])  # gives what it is given
    given, left = model.encode(images).hidden[0], model.encode(images, keep).hidden[0]
    assert left.shape == (2, 1 + kept, 12)
    for tokens, some in zip(given, left, strict=True):
        places = [(tokens == token).all(dim=1).nonzero().item() for token in some]
        assert places[0] == 0 and len(set(places)) == 1 + kept  # CLS, and patches of this image, each once


def test_kept_patches_are_distinct_drawn_for_each_image_and_uniform() -> None:
    numbers = torch.arange(10.0).expand(4000, 10)[..., None]
    kept = drop_patches(numbers, 0.3)[..., 0]
    assert kept.shape == (4000, 3)
    assert all(len(set(row)) == 3 for row in kept.tolist())
    shares = torch.bincount(kept.flatten().long(), minlength=10) / 4000
    torch.testing.assert_close(shares, torch.full((10,), 0.3), rtol=0, atol=0.03)


def test_free_energy_is_that_of_every_block() -> None:
    model, images = tiny(patch_sizes=(4, 8)), torch.randn(2, 3, 16, 16)
    seen = []
    for block in model.blocks:
        block.attn.register_forward_pre_hook(lambda attention, args: seen.append(attention.free_energy(args[0])))
    energy = model.free_energy(images, model.encode(images))
    assert energy.shape == (2, 2, 3, 1 + 20)
    torch.testing.assert_close(energy, torch.stack(seen, dim=1))


def test_free_energy_needs_gloeba() -> None:
    model, images = tiny(attention="standard"), torch.randn(1, 3, 16, 16)
    with pytest.raises(InputError, match="gloeba"):
        model.free_energy(images, model.encode(images))


def test_normalize_takes_bytes_or_unit_floats_and_denormalize_undoes_it() -> None:
    model, images = tiny(), torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    by_hand = (images.permute(0, 2, 3, 1).numpy() / 255 - mean) / std
    normalized = model.normalize(images)
    np.testing.assert_allclose(normalized.permute(0, 2, 3, 1).numpy(), by_hand, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.normalize(images / 255), normalized)
    torch.testing.assert_close(model.denormalize(normalized), images / 255)
    assert model.denormalize(100 * normalized).max() == 1


def test_grey_is_normalised_by_the_mean_of_the_colours() -> None:
    grey = tiny(channels=1).normalize(torch.full((1, 1, 16, 16), 0.449))
    torch.testing.assert_close(grey, torch.zeros(1, 1, 16, 16), rtol=0, atol=1e-5)


def test_prototype_logits_are_cosines_over_a_clamped_temperature() -> None:
    model, z = tiny(), torch.randn(5, 6)
    cosines = F.cosine_similarity(z[:, None], model.classifier.weight[None], dim=-1)
    for log_tau, tau in [(float(np.log(0.1)), 0.1), (-50.0, 0.01), (50.0, 1.0)]:
        model.proto_log_tau.data.fill_(log_tau)
        torch.testing.assert_close(model.prototype_logits(z), cosines / tau, rtol=1e-4, atol=1e-4)


def test_export_and_inference_mode_give_the_same_numbers() -> None:
    model, images = tiny(patch_sizes=(4, 8)), torch.randn(2, 3, 16, 16)
    expected = model(images)
    free = {0: torch.export.Dim("images", min=1)}
    exported = torch.export.export(model, (images,), dynamic_shapes=(free,), strict=False).module()
    torch.testing.assert_close(exported(images)[1], expected[1])
    torch.testing.assert_close(exported(images[:1])[1], expected[1][:1])
    with torch.inference_mode():
        torch.testing.assert_close(model(images)[1], expected[1])


def test_bf16_autocast_is_close() -> None:
    model, images = tiny(), torch.randn(2, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoding, reconstruction, _ = model(images)
    expected = model(images)
    torch.testing.assert_close(encoding.z.float(), expected[0].z, rtol=0, atol=0.1)
    torch.testing.assert_close(reconstruction.float(), expected[1], rtol=0, atol=0.1)
