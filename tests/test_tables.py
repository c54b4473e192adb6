"""Tables and JSON that every reader takes."""

import json
from pathlib import Path

import numpy as np

from attractor.files import csv_text, write_json, write_text


def test_json_is_standard_and_knows_numpy(tmp_path):
    numbers = {"a": np.float32(0.5), "b": np.arange(2), "c": float("nan"), "d": (np.inf, None, True)}
    text = write_json(tmp_path / "j", {**numbers, 1: Path("x")}).read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text) == {"a": 0.5, "b": [0, 1], "c": None, "d": [None, None, True], "1": "x"}


def test_names_that_are_not_utf8_do_not_stop_the_writing(tmp_path):
    assert write_text(tmp_path / "t", "a\udcff").read_text() == "a\\udcff"
    assert csv_text(["p"], [['x,"\n']]) == 'p\n"x,""\n"\n'
