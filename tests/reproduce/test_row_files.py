"""The rows that ship: every file is valid, names what there is, and says what was published."""

import re
from pathlib import Path

import pytest
import yaml

from attractor.data.graphs.fraud import ARCHIVES, BY_HAND
from attractor.data.graphs.named_sets import TU
from attractor.data.sets import one_class
from attractor.data.sets.labelled_sets import SPLITS
from attractor.errors import InputError
from attractor.models.config import PRESETS
from attractor.reproduce import row as module
from attractor.reproduce.nodes import MEASURES
from attractor.reproduce.row import Row, find_row, names
from attractor.reproduce.run import KINDS
from attractor.tasks.graphs.evaluate import PROTOCOLS
from attractor.training.inpainting import InpaintRecipe
from attractor.training.pretrain import PretrainRecipe
from attractor.training.recipe import read_recipe, shipped
from refusals import refusal

SETS = {
    "detection": set(one_class._TASKS),
    "graphs": set(TU),
    "inpainting": set(SPLITS),
    "nodes": {*ARCHIVES, *BY_HAND, "tolokers", "amazon-upu"},
    "pretraining": {"tiny-imagenet"},
}
FRAUD = {"yelp": "et-yelp", "amazon": "et-amazon", "tfinance": "et-tfinance", "tsocial": "et-tsocial"}


@pytest.mark.parametrize("name", names())
def test_a_row_names_what_there_is(name: str) -> None:
    row = find_row(name)
    assert row.name == name and row.kind in KINDS and row.data in SETS[row.kind]
    assert set(row.published) <= set(row.variants) and (row.source or not row.published)
    assert len(set(row.seeds)) == len(row.seeds)
    for settings in map(row.of, row.variants):
        if recipe := settings.get("recipe"):
            assert read_recipe(shipped(recipe), InpaintRecipe if row.kind == "inpainting" else PretrainRecipe)
        assert settings.get("model", "et-tiny") in PRESETS
        assert settings.get("protocol", "held-out") in PROTOCOLS
        assert (row.kind == "nodes") == ("train_fraction" in settings)
    if row.kind == "nodes":
        assert {row.main, *(measure for of in row.published.values() for measure in of)} <= set(MEASURES)


def test_every_tu_and_fraud_set_has_its_row() -> None:
    rows = [find_row(name) for name in names()]
    assert {row.data for row in rows if row.kind == "graphs"} == set(TU)
    assert {row.data for row in rows if row.kind == "nodes"} == SETS["nodes"]
    assert {row.data for row in rows if row.kind == "detection"} == SETS["detection"]


def figure(name: str, variant: str, measure: str) -> tuple[float, float | None]:
    found = find_row(name).published[variant][measure]
    return found.mean, found.cv_percent if found.std is None else found.std


def test_nodes_are_those_published(seeds_folder: Path) -> None:
    text = (seeds_folder / "energy-transformer.txt").read_text(encoding="utf-8")
    cells = iter(re.findall(r"\t(1%|40%)\t.*\t([\d.]+) ± ([\d.]+)", text))
    for measure in ("macro_f1", "auc"):
        for name in FRAUD.values():
            for variant in ("1 %", "40 %"):
                split, mean, std = next(cells)
                assert split == variant.replace(" ", "")
                published = pytest.approx((float(mean) / 100, float(std) / 100))
                assert figure(name, variant, measure) == published, (name, variant, measure)
    assert next(cells, None) is None


def test_graphs_are_those_published(seeds_folder: Path) -> None:
    text = (seeds_folder / "energy-transformer.txt").read_text(encoding="utf-8").split("Graph Classification")[1]
    cells = {name.lower(): rest for name, *rest in re.findall(r"^([A-Z\d]+)\t.*\t([\d.]+) ± ([\d.]+)", text, re.M)}
    assert set(cells) == {name.lower() for name in TU}
    for name, (mean, std) in cells.items():
        published = figure(f"et-{name}", "training graphs included", "accuracy")
        assert published == pytest.approx((float(mean) / 100, float(std) / 100)), name


def test_images_are_those_published(seeds_folder: Path) -> None:
    text = (seeds_folder / "selyne.txt").read_text(encoding="utf-8")
    cells = re.findall(r"^(STL-10|BRISC2025) .* / (\w+) \(.*\) ([\d.]+) ([\d.]+)%", text, re.MULTILINE)
    assert len(cells) == 4
    for name, score, mean, cv in cells:
        row = "selyne-stl10" if name == "STL-10" else "selyne-brisc2025"
        measure = {"Energy": "reconstruction", "Mahalanobis": "mahalanobis"}[score]
        assert figure(row, "one-class tuning, as published", measure) == (float(mean), float(cv))


def test_the_ablation_is_that_of_the_later_readme(golden_folder: Path) -> None:
    text = (golden_folder.parent / "reference" / "MATH.md").read_text(encoding="utf-8")
    published = find_row("selyne-ablation").published
    assert f"a later upstream README: 0.527 / {published['gloeba']['mahalanobis'].mean}." in text
    assert f"dot-product attention scores {published['standard']['mahalanobis'].mean} on STL-10" in text


def test_unknown_rows_and_variants() -> None:
    with pytest.raises(InputError, match=r"no row named '\.\./rows/et-dd'; choose one of amazon-upu, .*tolokers$"):
        find_row("../rows/et-dd")
    with pytest.raises(InputError, match=r"et-yelp has no variant '2 %'; choose one of 1 %, 40 %$"):
        find_row("et-yelp").of("2 %")


GOOD = (module.ROWS / "et-mutag.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "a: [",
        "\0",
        GOOD + "colour: red\n",
        GOOD + "name: et-mutag\n",
        GOOD.replace("graphs\n", "mystery\n"),
        GOOD.replace("[0]", "[-1]"),
        GOOD.replace("seeds: [0]", "seeds: []"),
        GOOD.replace("0.966", ".nan"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, monkeypatch, text: str) -> None:
    monkeypatch.setattr(module, "ROWS", tmp_path)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with refusal(match=r"mine.yaml is no row \(.*\); install attractor again"):
        find_row("mine")


def test_settings_of_a_variant_go_over_the_common_ones() -> None:
    values = {**yaml.safe_load(GOOD), "settings": {"epochs": 5, "dim": 8}}
    assert Row.model_validate(values).of("training graphs included") == {
        "epochs": 300,
        "dim": 8,
        "protocol": "published",
    }


@pytest.mark.parametrize(("said", "meant"), [("MUTAG", "et-mutag"), ("Brain-MRI", "brain-mri"), ("dd", "et-dd")])
def test_a_row_goes_by_its_set_too(said: str, meant: str) -> None:
    assert find_row(said).name == meant
