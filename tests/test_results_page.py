"""docs/results.md tells the truth: every row, ours from its own file, blank where there is none."""

import runpy
from pathlib import Path

import pytest

from attractor.errors import InputError
from attractor.files import read_json, write_json
from attractor.reproduce.row import find_row, names

ROOT = Path(__file__).parents[1]
FIGURE = {"mean": 0.9012, "std": 0.01, "cv_percent": 1.1, "seeds": [0], "parts": 4}


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return runpy.run_path(str(ROOT / "benchmarks" / "results_page.py"))["page"]


def cells(text: str) -> dict[tuple[str, str, str], list[str]]:
    """What the tables hold: ours, published, file, by row, variant and measure."""
    found, row = {}, ""
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if line.startswith("|") and len(parts) == 6 and parts[0] not in ("row", "---"):
            row = parts[0].split("`")[1] if parts[0] else row
            found[row, parts[1], parts[2]] = parts[3:]
    return found


def test_the_page_is_that_of_the_results(page) -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert text == page(ROOT / "results"), "run python benchmarks/results_page.py"


def test_without_results_every_row_is_there_and_ours_is_blank(page, tmp_path: Path) -> None:
    found = cells(page(tmp_path))
    assert {(row, variant) for row, variant, _ in found} == {(n, v) for n in names() for v in find_row(n).variants}
    assert all(ours == file == "" for ours, _, file in found.values())
    for name in names():
        for variant, figures in find_row(name).published.items():
            for measure, figure in figures.items():
                assert found[name, variant, measure][1].startswith(f"{figure.mean:.3f}")


def test_ours_comes_from_the_file_that_the_line_names(page) -> None:
    found = cells(page(ROOT / "results"))
    for name in ("amazon-upu", "tolokers"):
        summary = read_json(ROOT / "results" / f"nodes-{name}.json")["summary"]
        for variant, fraction in (("1 %", "0.01"), ("40 %", "0.4")):
            ours, _, file = found[name, variant, "auc"]
            assert ours.startswith(f"{summary[fraction]['attractor']['auc']['mean']:.3f} ± ") and "5 seeds" in ours
            assert file == f"[nodes-{name}.json](../results/nodes-{name}.json)"
    included = read_json(ROOT / "results" / "graphs-published.json")["sets"]
    for name in ("MUTAG", "PROTEINS"):
        ours, _, file = found[f"et-{name.lower()}", "training graphs included", "accuracy"]
        assert ours.startswith(f"{included[name]['accuracy']['mean']:.3f}") and "graphs-published.json" in file
    masks = read_json(ROOT / "results" / "inpaint-tiny-imagenet.json")["masks"]
    for kind, measure in (("random", "psnr, random patches"), ("block", "psnr, central block")):
        psnr = masks[kind]["all"]["attractor"]["psnr"]["mean"]
        assert found["et-tiny-imagenet", "et-tiny", measure][0] == f"{psnr:.3f}"


def test_folds_that_are_missing_are_told(page, tmp_path: Path) -> None:
    mine = {"accuracy": {"mean": 0.8, "std": 0.0}, "folds": [0], "of": 10}
    write_json(tmp_path / "graphs-DD.json", {"summary": {"attractor": mine}, "seed": 0, "command": "c"})
    assert cells(page(tmp_path))["et-dd", "test graphs held out", "accuracy"][0] == "0.800; 1 of 10 folds"


def reproduced(folder: Path, name: str, variant: str, figures: dict, **settings: object) -> None:
    row = find_row(name)
    values = {"variants": {variant: {**row.of(variant), **settings}}, "summary": {variant: figures}}
    write_json(folder / f"{name}.json", {**values, "command": f"attractor reproduce {name} --data DIR"})


def test_a_row_that_was_reproduced_comes_first(page, tmp_path: Path) -> None:
    reproduced(tmp_path, "et-dd", "test graphs held out", {"accuracy": FIGURE})
    write_json(tmp_path / "graphs-DD.json", "not even read")
    included = {"DD": {"accuracy": {"mean": 0.97, "std": 0.0}, "seed": 0, "folds": 10}}
    write_json(tmp_path / "graphs-published.json", {"sets": included, "command": "other"})
    text = page(tmp_path)
    assert cells(text)["et-dd", "test graphs held out", "accuracy"] == [
        "0.901 ± 0.010 (CV 1.1 %, 4 parts); 4 of 10 folds",
        "",
        "[et-dd.json](../results/et-dd.json)",
    ]
    ours, _, file = cells(text)["et-dd", "training graphs included", "accuracy"]  # which was not reproduced
    assert ours.startswith("0.970") and "graphs-published.json" in file
    assert "- Measured by (`et-dd`): `attractor reproduce et-dd --data DIR`" in text


def test_detectors_have_their_main_score_the_published_ones_and_the_baseline(page, tmp_path: Path) -> None:
    scores = ("combined", "places", "mahalanobis", "reconstruction", "pixels")
    reproduced(tmp_path, "selyne-stl10", "attractor", dict.fromkeys(scores, FIGURE))
    variant = "one-class tuning, as published"
    reproduced(tmp_path, "brain-mri", variant, dict.fromkeys(scores, FIGURE))
    found = cells(page(tmp_path))
    assert {m for row, v, m in found if (row, v) == ("selyne-stl10", "attractor")} == {"mahalanobis", "pixels"}
    assert {m for row, v, m in found if (row, v) == ("brain-mri", variant)} == {"places", "pixels"}


def test_figures_of_other_settings_do_not_fill_a_row(page, tmp_path: Path) -> None:
    reproduced(tmp_path, "et-dd", "test graphs held out", {"accuracy": FIGURE}, members=9)
    with pytest.raises(InputError, match=r"et-dd: test graphs held out has other settings than the row"):
        page(tmp_path)


def test_the_encoder_that_ships_is_no_row(page, tmp_path: Path) -> None:
    write_json(tmp_path / "pretrain-selyne-tiny.json", {"val_accuracy": 0.1234, "val_reconstruction": 0.5})
    text = page(tmp_path)
    assert "| `selyne-tiny` | 0.123 | 0.500 |" in text
    assert cells(text)["selyne-pretrain", "selyne-base", "val_accuracy"][0] == ""
