"""``attractor inpaint`` as a user meets it: train, fill in, watch, measure, and one line for what is wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import one_line, run, write_images
from PIL import Image

from attractor.models import ImageET, ImageETConfig
from attractor.models.store import load_model, save_model
from attractor.report import descent
from attractor.tasks import Inpainter

TINY = ImageETConfig(image_size=(16, 16), patch=4, dim=16, heads=2, head_dim=8, memories=16, steps=2)


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random model."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("painter")
    save_model(ImageET(TINY), folder)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("photos"), 4, 0, spot=True)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    pixels = np.zeros((72, 80), np.uint8)
    pixels[20:50, 20:50] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def test_run_paints_what_the_mask_shows_and_nothing_else(painter: Path, photos: Path, mask: Path, tmp_path) -> None:
    done = run("inpaint", "run", photos / "00.png", "--mask", mask, "-o", tmp_path / "out.png", "--model", painter)
    assert done.returncode == 0, done.stderr
    given, filled = (np.asarray(Image.open(path)) for path in (photos / "00.png", tmp_path / "out.png"))
    hidden = np.asarray(Image.open(mask)) > 0
    np.testing.assert_array_equal(filled[~hidden], given[~hidden])
    assert (filled[hidden] != given[hidden]).mean() > 0.9
    (row,) = csv.DictReader(done.stdout.splitlines())
    mse = ((filled[hidden] / 255.0 - given[hidden] / 255.0) ** 2).mean()
    assert float(row["psnr"]) == pytest.approx(-10 * np.log10(mse), abs=0.05)
    assert float(row["hidden"]) == pytest.approx(900 / 5760, abs=1e-3)


def test_run_takes_many_images_into_a_folder_by_seed(painter: Path, photos: Path, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "mixed", 2, 5)
    (folder / "broken.png").write_text("not a picture")
    Image.new("RGB", (1, 1)).save(folder / "dot.png")  # of which a part cannot be hidden
    arguments = ("inpaint", "run", photos, folder, "--random", 0.25, "--model", painter, "--json")
    answers = [run(*arguments, "-o", tmp_path / f"out{i}", "--seed", seed) for i, seed in enumerate((1, 1, 2))]
    assert all(done.returncode == 0 for done in answers), answers[0].stderr
    rows = json.loads(answers[0].stdout)
    assert len(rows["images"]) == 6
    assert [Path(left_out["path"]).name for left_out in rows["unreadable"]] == ["broken.png", "dot.png"]
    assert "2 files could not be used" in answers[0].stderr
    pictures = [[p.read_bytes() for p in sorted((tmp_path / f"out{i}").iterdir())] for i in range(3)]
    assert len(pictures[0]) == 6
    assert pictures[0] == pictures[1] != pictures[2]
    expected = Inpainter(painter).transform(photos, share=0.25, seed=1)
    first = np.asarray(Image.open(rows["images"][0]["output"])).transpose(2, 0, 1)
    np.testing.assert_array_equal(first, np.rint(expected[0] * 255).astype(np.uint8))


def test_trace_writes_down_the_descent_asked_for(painter: Path, photos: Path, tmp_path: Path, monkeypatch) -> None:
    walks = []
    monkeypatch.setattr(
        descent, "write_descent", lambda walk, folder, title, about: walks.append(walk) or [folder / title]
    )
    image = photos / "00.png"
    done = run("inpaint", "trace", image, "--random", 0.25, "--steps", 4, "-o", tmp_path / "walk", "--model", painter)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "walk" / "Watching a descent: 00.png")]
    assert walks[0].frames.shape == (5, 1, 3, 16, 16) and walks[0].hidden.sum() == 4


def test_a_mask_too_thin_for_the_model_is_told_the_option(painter: Path, tmp_path: Path) -> None:
    Image.new("RGB", (160, 160)).save(tmp_path / "picture.png")
    line = np.zeros((160, 160), np.uint8)
    line[:, 50] = 255
    Image.fromarray(line).save(tmp_path / "line.png")
    given = (tmp_path / "picture.png", "--mask", tmp_path / "line.png", "-o", tmp_path / "walk", "--model", painter)
    one_line(run("inpaint", "trace", *given), "too thin to be seen at the model's size", "--size own")
    assert run("inpaint", "trace", *given, "--size", "own").returncode == 0


def test_a_fixed_point_out_of_reach_is_one_line_of_warning(painter: Path, photos: Path, tmp_path: Path) -> None:
    given = ("--block", "--model", painter, "--rule", "equilibrium", "--steps", 2)
    said = "reached no fixed point within the steps given; raise --steps\n"
    for done, which in (
        (run("inpaint", "run", photos, "-o", tmp_path / "out", *given), "the descents of 4 images"),
        (run("inpaint", "run", photos / "00.png", "-o", tmp_path / "one.png", *given), "the descent"),
        (run("inpaint", "trace", photos / "00.png", "-o", tmp_path / "walk", *given), "the descent"),
    ):
        assert done.returncode == 0 and done.stderr.endswith(f"warning: {which} {said}"), done.stderr
    fixed = run("inpaint", "run", photos, "-o", tmp_path / "out", "--block", "--model", painter, "--steps", 2)
    assert "warning" not in fixed.stderr


def test_evaluate_compares_under_the_same_masks(painter: Path, photos: Path) -> None:
    arguments = ("inpaint", "evaluate", photos, "--model", painter, "--baseline-images", 3)
    found = json.loads(run(*arguments, "--json").stdout)
    assert (found["images"], found["compared"]) == (4, 3)
    for measured in found["masks"].values():
        assert measured["all"]["attractor"]["images"] == 4
        assert {"attractor", "mean fill"} <= set(measured["compared"])
    table = run(*arguments).stdout
    assert table.count("mean fill") == 2 and "25 %" in table and "±" in table
    assert json.loads(run(*arguments, "--json", "--images", 2).stdout)["images"] == 2


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    sizes = {name: value for name, value in TINY.to_dict().items() if name != "readout_eps"}  # 1e-05 is text to YAML
    text = f"name: toy\nmodel: {json.dumps(sizes)}\ndata: nowhere\nepochs: 1\nbatch_size: 4\nwarmup_epochs: 0.5\n"
    (tmp_path / "recipe.yaml").write_text(text)
    return tmp_path / "recipe.yaml"


def test_fit_by_a_recipe_then_on_a_folder(recipe: Path, photos: Path, tmp_path: Path) -> None:
    for split, seed in (("train", 0), ("val", 10)):
        write_images(tmp_path / "data" / split / "any" / "depth", 6, seed)
    done = run("inpaint", "fit", tmp_path / "data", "-o", tmp_path / "run", "--recipe", recipe)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["name"], result["train_images"], result["val_images"]) == ("toy", 6, 6)
    assert {"val_psnr_random", "val_psnr_block", "versions", "git_revision", "hardware", "seed"} <= set(result)
    assert "validation PSNR" in done.stdout and load_model(tmp_path / "run").config == TINY
    names = {"config.json", "model.safetensors", "result.json", "training.png", "training.pdf"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names
    again = run("inpaint", "fit", photos, "-o", tmp_path / "again", "--model", tmp_path / "run", "--epochs", 1)
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "again" / "result.json").read_text())["train_images"] == 4
    assert Inpainter.load(tmp_path / "again").epochs == 1
    assert run("inpaint", "fit", photos, "-o", tmp_path / "whole", "--recipe", recipe).returncode == 0


def test_an_interrupted_fit_is_taken_up(painter: Path, photos: Path, tmp_path: Path) -> None:
    Inpainter(painter, epochs=2).fit(photos, checkpoint=tmp_path / "run")
    arguments = ("inpaint", "fit", photos, "-o", tmp_path / "run", "--model", painter, "--epochs", 2)
    one_line(run(*arguments), "--resume")
    (tmp_path / "run" / "config.json").write_text("{}")  # as of a run killed while it wrote its model
    assert run(*arguments, "--resume").returncode == 0
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    one_line(run(*arguments, "--resume"), "is finished; choose another folder")


def test_bad_usage_gets_one_line(painter: Path, photos: Path, mask: Path, recipe: Path, tmp_path: Path) -> None:
    image, out = photos / "00.png", ("-o", tmp_path / "o.png", "--model", painter)
    small = tmp_path / "small.png"
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(small)
    for name, value in (("black", 0), ("white", 255)):
        Image.fromarray(np.full((72, 80), value, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "text.png").write_text("no picture")
    for arguments, words in (
        ((image,), ("--mask", "--random", "--block")),
        ((image, "--block", "--random", 0.5), ("one way",)),
        ((image, "--mask", tmp_path / "none.png"), ("none.png", "no such file")),
        ((image, "--mask", small), ("80 x 72", "8 x 8")),
        ((image, "--mask", tmp_path / "black.png"), ("hides nothing",)),
        ((image, "--mask", tmp_path / "white.png"), ("hides everything",)),
        ((image, "--mask", tmp_path / "text.png"), ("text.png",)),
        ((photos, "--mask", mask), ("one mask for 4 images",)),
        ((image, "--random", 1.5), ("between 0 and 1",)),
        ((tmp_path / "text.png", "--block"), ("text.png", "nothing was painted")),
        ((tmp_path / "nowhere.png", "--block"), ("nowhere.png",)),
        ((image, "--block", "--rule", "magic"), ("magic", "guaranteed")),
        ((image, "--block", "--size", "huge"), ("huge",)),
        ((image, "--block", "--step-size", 0), ("step_size",)),
        ((image, "--block", "--step-size", 1e38), ("smaller step size",)),
    ):
        one_line(run("inpaint", "run", *arguments, *out), *words)
    assert not (tmp_path / "o.png").exists()
    before = image.read_bytes()
    for output, word in ((tmp_path / "o.xyz", ".xyz"), (photos, "00.png"), (image, "00.png")):
        one_line(run("inpaint", "run", image, "--block", "-o", output, "--model", painter), word)
    assert image.read_bytes() == before
    one_line(run("inpaint", "trace", image, *out), "--mask")
    one_line(run("inpaint", "run", image, "--block", "-o", tmp_path / "o", "--model", tmp_path / "nowhere"), "nowhere")
    one_line(run("inpaint", "evaluate", photos, "--split", "val", "--model", painter), "val")
    fit = ("inpaint", "fit", photos, "-o", tmp_path / "run")
    one_line(run(*fit, "--recipe", recipe, "--epochs", 3), "--epochs", "recipe")
    recipe.write_text("name: x\ndata: d\nkeep_patches: 1")
    one_line(run(*fit, "--recipe", recipe), "is a recipe of `attractor pretrain`")
    recipe.write_text("name: x\ndata: d\nstart: nowhere")
    one_line(run(*fit, "--recipe", recipe), "start: no pretrained model 'nowhere'")
