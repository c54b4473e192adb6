"""Means and spreads: over seeds, or over the parts of one; seeds of which parts are missing; single values."""

import numpy as np
import pytest

from attractor.reproduce.summary import summarise


def runs(values: dict[int, list[float | None]], variant: str = "v") -> list[dict]:
    return [
        {"variant": variant, "seed": seed, "part": str(i), "values": {"m": value}}
        for seed, of in values.items()
        for i, value in enumerate(of)
    ]


def test_the_spread_is_that_of_the_seeds_means() -> None:
    found = summarise(runs({3: [1.0, 3.0], 1: [2.0, 6.0], 2: [3.0, 3.0]}))["v"]["m"]
    means = [2.0, 4.0, 3.0]
    assert found == {
        "mean": 3.0, "std": np.std(means, ddof=1), "cv_percent": pytest.approx(100 / 3), "seeds": [1, 2, 3], "parts": 2,
    }  # fmt: skip


def test_of_a_single_seed_the_spread_is_that_of_its_parts() -> None:
    found = summarise(runs({7: [1.0, 3.0, 2.0]}))["v"]["m"]
    assert found == {"mean": 2.0, "std": 1.0, "cv_percent": 50.0, "seeds": [7], "parts": 3}


def test_a_single_value_has_no_spread() -> None:
    assert summarise(runs({0: [0.5]}))["v"]["m"] == {
        "mean": 0.5, "std": None, "cv_percent": None, "seeds": [0], "parts": 1,
    }  # fmt: skip


def test_a_seed_of_which_parts_are_missing_does_not_count() -> None:
    found = summarise(runs({0: [1.0, 3.0], 1: [100.0], 2: [4.0, 4.0]}))["v"]["m"]
    assert (found["mean"], found["seeds"], found["parts"]) == (3.0, [0, 2], 2)
    found = summarise(runs({0: [1.0, 3.0], 1: [100.0, None]}))["v"]["m"]
    assert (found["mean"], found["seeds"], found["std"]) == (2.0, [0], pytest.approx(2**0.5))


def test_no_percentage_of_nothing() -> None:
    found = summarise(runs({0: [-1.0], 1: [1.0]}))["v"]["m"]
    assert found["mean"] == 0 and found["cv_percent"] is None
    assert summarise(runs({0: [-1.0], 1: [-3.0]}))["v"]["m"]["cv_percent"] > 0


def test_variants_and_measures_apart() -> None:
    both = runs({0: [1.0]}) + runs({0: [5.0]}, "w") + [{"variant": "w", "seed": 0, "part": "x", "values": {"n": 2.0}}]
    found = summarise(both)
    assert {v: {m: f["mean"] for m, f in of.items()} for v, of in found.items()} == {
        "v": {"m": 1},
        "w": {"m": 5, "n": 2},
    }
    assert summarise([]) == {} and summarise(runs({0: [None]})) == {"v": {}}
