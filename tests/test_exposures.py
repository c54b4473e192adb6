"""Which images are of one tile, by their names."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "exposures.py"))


def test_a_tile_ends_where_exposures_fall_or_numbers_jump() -> None:
    images = [(10, 1), (20, 2), (30, 4), (40, 2), (50, 3), (3000, 4)]
    assert SCRIPT["tiles"](set(images)) == dict(zip(images, [0, 0, 0, 1, 1, 2], strict=True))
    assert SCRIPT["tiles"](set()) == {}


def test_names_say_number_and_exposure() -> None:
    assert SCRIPT["named"]("magnetic-tile/test/good/exp4_num_1234.jpg") == (1234, 4)
