"""Patches: their order, the order inside them, and the way back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attractor.models import SelyneConfig
from attractor.models.patches import PatchEmbedding, paint, patchify


def test_patches_come_in_raster_order_flattened_channel_first() -> None:
    images = torch.arange(2 * 3 * 4 * 6.0).view(2, 3, 4, 6)
    tokens = patchify(images, 2)
    assert tokens.shape == (2, 6, 12)
    assert torch.equal(tokens[1, 4], images[1, :, 2:4, 2:4].flatten())  # second row, second column


def test_paint_reads_a_patch_channel_last() -> None:
    tokens = torch.arange(2 * 6 * 12.0).view(2, 6, 12)
    images = paint(tokens, (2, 3), 2)
    assert images.shape == (2, 3, 4, 6)
    assert torch.equal(images[1, :, 2:4, 2:4].permute(1, 2, 0).flatten(), tokens[1, 4])


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.sampled_from([1, 3]))
def test_paint_undoes_patchify_up_to_the_order_inside_a_patch(rows: int, columns: int, p: int, channels: int) -> None:
    images = torch.randn(2, channels, rows * p, columns * p)
    channel_last = patchify(images, p).unflatten(-1, (channels, p, p)).movedim(2, -1).flatten(2)
    assert torch.equal(paint(channel_last, (rows, columns), p), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_scales_are_embedded_apart_and_concatenated_in_order(channels: int) -> None:
    config = SelyneConfig(image_size=(8, 16), patch_sizes=(8, 4), channels=channels, dim=12, heads=3)
    embedding, images = PatchEmbedding(config), torch.randn(2, channels, 8, 16)
    tokens = embedding(images)
    assert tokens.shape == (2, 2 + 8, 12)
    for scale, part, p in zip((0, 1), tokens.split([2, 8], dim=1), (8, 4), strict=True):
        expected = embedding.embeds[scale](patchify(images, p)) + embedding.pos_embeds[scale]
        torch.testing.assert_close(part, expected)
