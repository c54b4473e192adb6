"""The command as a whole: what is wrong is one line, whoever found it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import run

LONG = "n" * 300


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", LONG),
        ("convert", LONG, "-o", "out"),
        ("nodes", "score", LONG, "graph"),
        ("nodes", "fit", LONG, "-o", "out"),
        ("graphs", "fit", LONG, "-o", "out"),
        ("inpaint", "run", "a.png", "--block", "-o", f"{LONG}.png"),
        ("pretrain", LONG, "-o", "out"),
    ],
)
def test_a_name_that_no_file_can_have_is_bad_input(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*(str(tmp_path / word) if LONG in word else word for word in command))
    assert done.returncode == 2 and LONG in done.stderr and "too long" in done.stderr, done
    assert done.stderr.count("\n") == 1
