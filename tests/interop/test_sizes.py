"""Names and shapes of a checkpoint, and what is said about those that do not fit."""

from __future__ import annotations

import pytest
import torch

from attractor.errors import InputError
from attractor.interop.sizes import count, read_image_size, read_patch, read_sizes, require_names


def tensors(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape) for name, shape in shapes.items()}


def test_letters_are_read_once_and_held_to() -> None:
    found = read_sizes("f", tensors(a=(2, 3), b=(3, 1), c=()), {"a": "HD", "b": "D1", "c": ""})
    assert found == {"H": 2, "D": 3, "1": 1}


@pytest.mark.parametrize(
    ("b", "expected"), [((3, 4), r"not \(3, 1\)"), ((3,), r"\(3,\)"), ((4, 1), "b has shape"), ((), "b has shape")]
)
def test_a_shape_that_does_not_fit_is_named(b: tuple[int, ...], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read_sizes("f", tensors(a=(2, 3), b=b), {"a": "HD", "b": "D1"})


def test_names_missing_and_unknown_are_listed_and_many_are_counted() -> None:
    require_names("f", ["a", "b"], ["b", "a"])
    with pytest.raises(InputError, match=r"^f is a checkpoint without b and with unknown c; "):
        require_names("f", ["a", "c"], ["b", "a"])
    with pytest.raises(InputError, match=r"without n0, n1, n2, n3, n4, n5 and 2 more; "):
        require_names("f", [], [f"n{i}" for i in range(8)])


@pytest.mark.parametrize(("pixels", "found"), [(48, (3, 4)), (16, (1, 4)), (768, (3, 16)), (256, (1, 16)), (3, (3, 1))])
def test_patch_and_channels(pixels: int, found: tuple[int, int]) -> None:
    assert read_patch("f", pixels) == found


@pytest.mark.parametrize("pixels", [0, 2, 47, 96])
def test_no_patch(pixels: int) -> None:
    with pytest.raises(InputError, match=f"f: {pixels} values"):
        read_patch("f", pixels)


def test_image_size_is_square_unless_given() -> None:
    assert read_image_size("f", 196, 16, None) == (224, 224)
    assert read_image_size("f", 12, 4, (8, 24)) == (8, 24)


@pytest.mark.parametrize(("tokens", "given"), [(12, None), (12, (8, 20)), (12, (10, 24)), (12, (9, 24))])
def test_image_size_that_does_not_fit(tokens: int, given: tuple[int, int] | None) -> None:
    with pytest.raises(InputError, match="12 patches of 4 x 4 pixels"):
        read_image_size("f", tokens, 4, given)


@pytest.mark.parametrize("tokens", [-1, 0])
def test_no_patches_at_all(tokens: int) -> None:
    with pytest.raises(InputError, match=r"^f has places for no patches"):
        read_image_size("f", tokens, 4, None)


def test_blocks_are_counted_by_their_number() -> None:
    assert (
        count(tensors(**{"blocks.0.a": (), "blocks.0.b": (), "blocks.10.a": (), "my.blocks.3.a": ()}), "blocks.") == 2
    )
