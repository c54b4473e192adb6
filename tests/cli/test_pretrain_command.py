"""Pretraining from a recipe, interrupted and taken up again."""

import json
import shutil
from pathlib import Path

from commands import TINY, one_line, run, write_images

from attractor.cli.pretrain import SHIPPED
from attractor.models.store import load_model
from attractor.training.pretrain import PretrainRecipe
from attractor.training.recipe import _names


def test_pretrain_resumes_and_writes_everything(tmp_path):
    for split, seed in (("train", 0), ("val", 10)):
        write_images(tmp_path / "data" / split / "plain", 6, seed)
        write_images(tmp_path / "data" / split / "spot", 6, seed + 1, spot=True)
    recipe = tmp_path / "recipe.yaml"
    model = json.dumps({**TINY.to_dict(), "classes": 2})
    recipe.write_text(f"name: toy\nmodel: {model}\ndata: nowhere\nepochs: 2\nbatch_size: 4\nwarmup_epochs: 0.5\n")
    arguments = ("pretrain", recipe, "-o", tmp_path / "run", "--data", tmp_path / "data")
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert len(result["history"]) == 2
    assert result["train_images"] == 12
    assert {"versions", "git_revision", "hardware", "seed"} <= set(result)
    for name in ("losses", "accuracy", "contributions", "convergence"):
        assert (tmp_path / "run" / f"training_{name}.png").exists()
    assert load_model(tmp_path / "run" / "best").config.classes == 2
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    for options in ((), ("--resume",)):
        one_line(run(*arguments, *options), f"the run in {tmp_path / 'run'} is finished; choose another folder")
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"of a run killed as it ended")
    one_line(run(*arguments, "--resume"), "is finished")
    assert {**before, tmp_path / "run" / "checkpoint.pt": b"of a run killed as it ended"} == {
        path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()
    }


def test_a_run_that_began_is_not_begun_anew(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"of a killed run")
    one_line(run("pretrain", "selyne-tiny", "-o", tmp_path, "--data", tmp_path), "add --resume to go on with it")
    (tmp_path / "checkpoint.pt").unlink()
    (tmp_path / "config.json").write_text("{}")
    one_line(run("pretrain", "selyne-tiny", "-o", tmp_path, "--data", tmp_path), "holds a finished model")


def test_where_it_starts_is_looked_at_before_the_images(tmp_path):
    recipe = tmp_path / "r.yaml"
    for start, said in (("nowhere", "no pretrained model 'nowhere'"), ("et-tiny", "does not fit selyne-tiny (Selyne)")):
        recipe.write_text(f"name: toy\ndata: nowhere-either\nmodel: selyne-tiny\nstart: {start}\n")
        one_line(run("pretrain", recipe, "-o", tmp_path / "run"), said)
        assert not (tmp_path / "run").exists()


def test_the_help_names_the_recipes_that_ship():
    assert ", ".join(_names(PretrainRecipe)) == SHIPPED


def test_an_archive_that_cannot_be_read_is_one_line(tmp_path):
    write_images(tmp_path / "train" / "plain", 2, 0)
    for name in ("cut.tar", "cut.tar.gz", "cut.zip"):
        kind = {"zip": "zip", "gz": "gztar", "tar": "tar"}[name.split(".")[-1]]
        whole = Path(shutil.make_archive(str(tmp_path / "whole"), kind, tmp_path, "train")).read_bytes()
        for content in (whole[: len(whole) // 2], b"garbage", b""):
            (tmp_path / name).write_bytes(content)
            done = run("pretrain", "selyne-tiny", "-o", tmp_path / "run", "--data", tmp_path / name)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
            assert f"{name}: not a readable .tar or .zip archive" in done.stderr
