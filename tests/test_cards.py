"""The cards of the weights that ship tell the truth: they are what the files under results/ and the weights say."""

import runpy
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from attractor.files import read_json, write_json
from attractor.models.config import PRESETS

ROOT = Path(__file__).parents[1]
SHIPPED = sorted(path.parent.name for path in (ROOT / "src" / "attractor" / "weights").glob("*/config.json"))


@pytest.fixture
def cards(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return runpy.run_path(str(ROOT / "benchmarks" / "cards.py"))


def test_every_model_that_ships_has_a_card_and_a_name(cards):
    assert sorted(cards["SHIPPED"]) == SHIPPED
    assert set(SHIPPED) <= set(PRESETS)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_in_the_package_is_that_of_the_results(cards, name):
    shipped = (files("attractor") / "weights" / name / "README.md").read_text(encoding="utf-8")
    assert shipped == cards["card"](name, ROOT / "results"), "run python benchmarks/cards.py"


def test_a_stage_is_on_the_card_as_soon_as_it_has_a_result(cards, tmp_path):
    first = ROOT / "results" / "pretrain-selyne-tiny.json"
    shutil.copy(first, tmp_path)
    before = cards["card"]("selyne-tiny", tmp_path)
    write_json(tmp_path / "pretrain-selyne-tiny-longer.json", {**read_json(first), "val_accuracy": 0.4321})
    after = cards["card"]("selyne-tiny", tmp_path)
    assert "0.4321" in after and "0.4321" not in before
    assert "`selyne-tiny-longer`" in after and "-longer" not in before
    for recipe in ("selyne-tiny", "selyne-tiny-longer"):
        assert (files("attractor") / "recipes" / "training" / f"{recipe}.yaml").is_file()
