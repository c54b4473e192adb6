"""Sides of a comparison that need nothing: files for answer.py, and a case that is done at once."""

from __future__ import annotations

from pathlib import Path

from attractor.bench.cases import Case

SLEEPER = """
import time

def passes(spec):
    def forward():
        print("what a library says")
        block = bytearray(spec.get("mb", 0) * 2**20)
        block[::4096] = b"x" * len(block[::4096])
        time.sleep(0.05)

    return {"forward": forward, "train": forward}

def versions():
    return {"sleeper": "1"}
"""
TINY = {"tokens": 5, "dim": 4, "heads": 2, "head_dim": 2, "memories": 6, "steps": 2, "step_size": 0.1}


def sleeper(folder: Path) -> str:
    """A side that sleeps for a twentieth of a second, by the name a case gives it."""
    (folder / "sleeper.py").write_text(SLEEPER)
    return str(folder / "sleeper")


def tiny(folder: Path) -> Case:
    """A descent of five tokens beside the sleeper and beside a peer that nobody has."""
    spec = {**TINY, "batch": {"forward": 2, "train": 2}}
    return Case("Tiny", "image_et", spec, {"et-torch": sleeper(folder), "et-jax": "absent"})
