"""The configuration: what it derives, what it refuses, and its way through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from attractor.errors import InputError
from attractor.models import PRESETS, Selyne, SelyneConfig, preset


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"patch_sizes": (7,)}, "patch size 7 does not divide image size 64 x 64"),
        ({"image_size": (64, 60)}, "patch size 8 does not divide image size 64 x 60"),
        ({"patch_sizes": (8, 0)}, "patch_sizes"),
        ({"patch_sizes": ()}, "patch_sizes"),
        ({"patch_sizes": 8}, "patch_sizes"),
        ({"image_size": 64}, "image_size"),
        ({"image_size": (64,)}, "image_size"),
        ({"image_size": (64, -64)}, "image_size"),
        ({"image_size": "64"}, "image_size"),
        ({"dim": 100}, "dim 100 is not a multiple of heads 8"),
        ({"dim": "512"}, "dim"),
        ({"heads": 0}, "heads"),
        ({"depth": 1.5}, "depth"),
        ({"depth": True}, "depth"),
        ({"decoder_depth": -1}, "decoder_depth"),
        ({"classes": 0}, "classes"),
        ({"channels": 2}, "channels must be 1 or 3, not 2"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": "a"}, "dropout"),
        ({"mlp_ratio": 0.0}, "mlp_ratio"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio"),
        ({"attention": "linear"}, "attention must be 'gloeba' or 'standard', not 'linear'"),
        ({"width": 3}, "width"),
    ],
)
def test_bad_settings_are_refused_in_one_line(settings: dict, names: str) -> None:
    with pytest.raises(InputError) as caught:
        SelyneConfig.from_dict(settings)
    assert names in str(caught.value) and "\n" not in str(caught.value)


def test_survives_json() -> None:
    config = SelyneConfig(image_size=(32, 64), patch_sizes=(8, 4), channels=1, decoder_depth=1)
    assert SelyneConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_whole_numbers_of_numpy_are_as_good_as_pythons_own() -> None:
    config = SelyneConfig(image_size=(np.int64(32), 32), dim=np.int32(12), heads=np.uint8(3), decoder_depth=np.int64(2))
    assert config == SelyneConfig(image_size=(32, 32), dim=12, heads=3, decoder_depth=2)
    assert json.dumps(config.to_dict())  # which takes none of NumPy's


def test_grids_tokens_and_finest_scale() -> None:
    config = SelyneConfig(image_size=(32, 64), patch_sizes=(16, 4, 8))
    assert config.grids == [(2, 4), (8, 16), (4, 8)]
    assert (config.tokens, config.finest) == (8 + 128 + 32, 1)


def test_decoder_is_as_deep_as_the_encoder_unless_told() -> None:
    with torch.device("meta"):
        depths = [len(Selyne(SelyneConfig(decoder_depth=d)).decoder.transformer_blocks) for d in (None, 2)]
    assert depths == [6, 2]


def test_presets_are_found_by_name_and_of_the_sizes_they_promise() -> None:
    assert preset("selyne-base", SelyneConfig) == SelyneConfig()
    with torch.device("meta"):
        sizes = {
            name: sum(p.numel() for p in Selyne(c).parameters())
            for name, c in PRESETS.items()
            if isinstance(c, SelyneConfig)
        }
    assert sizes["selyne-base"] == 59_294_922
    assert 4e6 < sizes["selyne-tiny"] < 6e6
    with pytest.raises(InputError, match=r"selyne-huge.*selyne-base"):
        preset("selyne-huge", SelyneConfig)
