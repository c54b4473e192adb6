"""Which normal images are fitted on and which calibrate."""

from __future__ import annotations

import numpy as np
import pytest

from attractor.data.sources import ImageSource
from attractor.tasks.detection.split import resolve_split
from refusals import refusal


def source(count: int, name: str = "image") -> ImageSource:
    return ImageSource([f"{name} {i:02d}" for i in range(count)], [np.zeros((1, 1), np.uint8)] * count)


@pytest.mark.parametrize(
    ("share", "rate", "expected"),
    [
        (0.1, 0.01, 3),
        (0.5, 0.01, 15),
        (None, 0.01, 10),
        (None, 0.12, 8),
        (None, 0.2, 6),
        (0.01, 0.2, 1),
        (0.9, 0.2, 25),
    ],
)
def test_a_share_for_calibration_is_obeyed_and_else_what_the_rate_needs(
    share: float | None, rate: float, expected: int
) -> None:
    fitting, held_out = resolve_split(source(30), None, rate, share, seed=0)
    assert (len(fitting), len(held_out)) == (30 - expected, expected)
    assert sorted([*fitting.names, *held_out.names]) == source(30).names


def test_the_seed_draws_and_the_order_stays() -> None:
    one, again, other = (resolve_split(source(30), None, 0.2, None, seed)[1].names for seed in (0, 0, 1))
    assert one == again == sorted(one) and one != other


def test_images_of_ones_own_choice_leave_all_others_to_fit_on() -> None:
    fitting, held_out = resolve_split(source(30), source(2, "mine"), 0.01, None, seed=0)
    assert fitting.names == source(30).names and held_out.names == ["mine 00", "mine 01"]


@pytest.mark.parametrize(("count", "said"), [(3, "3 images in all"), (1, "1 image in all")])
def test_too_few_images_are_refused(count: int, said: str) -> None:
    with refusal(said, "give 10 or more"):
        resolve_split(source(count), source(20), 0.01, None, seed=0)
