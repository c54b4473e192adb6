"""Pretraining from a recipe, interrupted and taken up again."""

import json

from commands import TINY, run, write_images

from attractor.models.store import load_model


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
    again = run(*arguments)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    assert run(*arguments, "--resume").returncode == 0
