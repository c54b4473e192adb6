"""What others raise, as one line."""

from __future__ import annotations

import pytest

from attractor.errors import one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines\tand a tab"), "two lines and a tab"),
        (ValueError(" \n"), "ValueError"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("x" * 200), "x" * 160),
    ],
)
def test_one_line_whatever_the_message(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_the_limit_may_be_another() -> None:
    assert one_line(ValueError("a b c"), 3) == "a b"
