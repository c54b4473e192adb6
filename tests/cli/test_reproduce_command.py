"""``attractor reproduce`` as a user meets it: rows listed, one run and gone on with, and errors in one line."""

import json
from pathlib import Path

import pytest
from commands import one_line, run, write_images

from attractor.reproduce.row import names

pytestmark = pytest.mark.usefixtures("one_thread")
ROW = "et-tiny-imagenet"


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for split in ("train", "val"):
        for seed, wnid in enumerate(("n01", "n02")):
            write_images(folder / "tiny-imagenet" / split / wnid, 2, seed)
    return folder


def test_without_a_name_all_rows_are_listed() -> None:
    done = run("reproduce")
    assert done.returncode == 0 and [line.split()[0] for line in done.stdout.splitlines()] == names()
    assert all(len(line.split()) > 2 and line[19] == " " for line in done.stdout.splitlines())


def test_a_row_leaves_json_figure_and_page_and_goes_on(sets: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("reproduce", ROW, "--data", sets, "-o", out, "--seeds", 0)
    assert done.returncode == 0, done.stderr
    assert {f"{ROW}.{end}" for end in ("json", "html", "png", "pdf")} <= {path.name for path in out.iterdir()}
    found = json.loads((out / f"{ROW}.json").read_text())
    mean = found["summary"]["et-tiny"]["psnr, random patches"]["mean"]
    assert f"psnr, random patches  {mean:.3f}" in done.stdout and str(out / f"{ROW}.html") in done.stderr
    again = run("reproduce", ROW, "--data", sets, "-o", out, "--seeds", 0, "--seeds", 4, "--json")
    values = json.loads(again.stdout)
    assert values == json.loads((out / f"{ROW}.json").read_text()) and values["runs"][:2] == found["runs"]
    assert [run["seed"] for run in values["runs"]] == [0, 0, 4, 4]
    assert "seeds 0, 4;" in again.stderr and "seed 0, random" not in again.stderr


def test_the_caution_is_said(tmp_path: Path) -> None:
    done = run("reproduce", "brain-mri", "--data", tmp_path, "-o", tmp_path / "out")
    assert "caution: not BRISC2025" in done.stderr


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("selyne-brisc2025", "brisc2025 is missing; get 'BRISC 2025' from Figshare or Kaggle"),
        ("brain-mri", "brain-mri is missing; put the folder brain-mri"),
        ("magnetic-tile", "magnetic-tile is missing; put the folder magnetic-tile"),
        ("et-tfinance", "tfinance is missing; put it there by hand, from the Google Drive"),
        ("et-tsocial", "tsocial is missing; put it there by hand, from the Google Drive"),
        ("tolokers", "tolokers.npz is missing; put the graph there by hand"),
        ("amazon-upu", "amazon-upu.npz is missing; put the graph there by hand"),
        ("et-imagenet", "imagenet/train is missing; get ILSVRC 2012 from image-net.org"),
    ],
)
def test_a_set_that_is_missing_says_what_to_put_where(tmp_path: Path, row: str, said: str) -> None:
    done = run("reproduce", row, "--data", tmp_path / "sets", "-o", tmp_path / "out")
    assert done.returncode == 2 and done.stdout == ""
    assert f"attractor: {tmp_path / 'sets'}/{said}" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_interrupted_it_says_how_to_go_on(tmp_path: Path, monkeypatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("attractor.reproduce.run.reproduce", stop)
    done = run("reproduce", ROW, "--data", tmp_path, "-o", tmp_path / "out")
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, done.stdout) == (1, "") and "run the same command again to go on" in last


def test_what_is_refused_in_one_line(tmp_path: Path) -> None:
    out = ("-o", tmp_path / "out", "--data", tmp_path)
    one_line(run("reproduce", "et-mnist", *out), "no row named 'et-mnist'; choose one of amazon-upu")
    one_line(run("reproduce", "et-yelp", "--variant", "2 %", *out), "et-yelp has no variant '2 %'; choose one of 1 %")
    one_line(run("reproduce", "et-yelp", "--model", "selyne-tiny", *out), "et-yelp, 1 %: takes no model", "--model")
    one_line(run("reproduce", "et-mutag", "--model", "selyne-tiny", *out), "takes no model from elsewhere")
    one_line(run("reproduce", ROW, "--seeds", "-1", *out), "seed -1 cannot be; choose one from 0 to")
    (tmp_path / "file").touch()
    done = run("reproduce", ROW, "--data", tmp_path, "-o", tmp_path / "file")
    assert done.returncode == 2 and "file cannot be written to" in done.stderr.splitlines()[-1]


def test_a_foreign_file_is_not_overwritten(sets: Path, tmp_path: Path) -> None:
    (tmp_path / f"{ROW}.json").write_text('{"mine": 1}')
    done = run("reproduce", ROW, "--data", sets, "-o", tmp_path)
    assert done.returncode == 2 and f"{ROW}.json is no result of {ROW}" in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == [f"{ROW}.json"]
    assert (tmp_path / f"{ROW}.json").read_text() == '{"mine": 1}'
