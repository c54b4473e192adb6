"""The tables of detection: every score of every variant, the deciding one first, the baseline last."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return runpy.run_path(str(ROOT / "benchmarks" / "detection_tables.py"))


def figure(mean: float, std: float | None, *seeds: int, parts: int = 1) -> dict:
    return {"mean": mean, "std": std, "cv_percent": None, "seeds": list(seeds), "parts": parts}


def result(name: str) -> dict:
    tuned = {"mahalanobis": figure(0.7, 0.02, 0, 1, 2), "combined": figure(0.8, 0.01, 0, 1, 2)}
    return {
        "name": name,
        "title": f"Title of {name}",
        "caution": "easier than it looks",
        "command": f"attractor reproduce {name} --data DIR",
        "main": "combined",
        "variants": {"attractor": {}, "tuned": {}},
        "summary": {
            "tuned": {**tuned, "pixels": figure(0.6, 0.0, 0, 1, 2)},
            "attractor": {
                "aupro": figure(0.3, None, 0),
                "knn": figure(0.85, 0.04, 0, parts=10),
                "pixels": figure(0.6, 0.1, 0, parts=10),
                "combined": figure(0.9, None, 0),
            },
        },
    }


def test_one_set(tables) -> None:
    head, empty, *lines = tables["one_set"](result("toy")).splitlines()
    assert head == "**Title of toy.** Caution: easier than it looks (`attractor reproduce toy --data DIR`)."
    assert empty == "" and lines == [
        "| score | attractor (1 seed) | tuned (3 seeds) |",
        "| --- | --- | --- |",
        "| combined | 0.900 | 0.800 ± 0.010 |",
        "| knn | 0.850 |  |",
        "| mahalanobis |  | 0.700 ± 0.020 |",
        "| aupro, of the heat map | 0.300 |  |",
        "| baseline: 5 nearest neighbours on 32 x 32 grey pixels | 0.600 | 0.600 |",
    ]


def test_all_sets_in_order_after_the_encoder_and_before_the_rest(tables) -> None:
    encoder, *sets, parts, copies, exposures = tables["tables"](ROOT / "results")
    openings = {
        encoder: "Encoder: `selyne-tiny`",
        parts: "**What helps",
        copies: "**Near copies",
        exposures: "**Magnetic",
    }
    assert all(text.startswith(opening) for text, opening in openings.items())
    commands = [table.split("attractor reproduce ")[1].split()[0] for table in sets]
    assert commands == ["brain-mri", "cifar10-stl", "magnetic-tile"]
