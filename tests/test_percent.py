"""Percent as a person reads it."""

import pytest

from attractor.percent import percent


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (1, "100"),
        (0.01, "1"),
        (0.08333, "8.3"),
        (0.0147, "1.5"),
        (0.0005, "0.05"),
        (1e-17, "0"),
        (-0.2, "-20"),
    ],
)
def test_digits_that_tell_something(value, said):
    assert percent(value) == f"{said} %"
