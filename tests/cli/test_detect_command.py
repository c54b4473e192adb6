"""The command as a user meets it: what it prints, where, and with which exit code."""

import csv
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from commands import one_line, run, write_images


@pytest.mark.parametrize("command", [[Path(sys.executable).parent / "attractor"], [sys.executable, "-m", "attractor"]])
def test_the_installed_command_runs(command):
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith("attractor ")


def test_fit_says_the_split_once_and_writes_no_pickle(detector):
    assert sorted(p.name for p in detector.iterdir()) == ["calibration.json", "config.json", "model.safetensors"]
    assert json.loads((detector / "calibration.json").read_text())["split"] == {
        "fitting": 16,
        "calibration": 8,
        "seed": 0,
    }


def test_score_prints_one_row_a_file_and_writes_csv(detector, pictures, tmp_path):
    table = tmp_path / "scores.csv"
    done = run("detect", "score", detector, pictures / "test", "--csv", table)
    assert done.returncode == 0, done.stderr
    printed = list(csv.DictReader(done.stdout.splitlines()))
    assert len(printed) == 16
    assert set(printed[0]) == {"path", "score", "p_value", "anomalous"}
    written = list(csv.DictReader(table.open()))
    assert [row["path"] for row in written] == [row["path"] for row in printed]
    spots = [row["anomalous"] for row in printed if "spot" in row["path"]]
    assert spots == ["yes"] * 8  # a white square is far from every normal patch, even to a random encoder


def test_score_json_names_unreadable_files_and_scores_the_rest(detector, pictures, tmp_path):
    folder = write_images(tmp_path / "mixed", 2, 5)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    (folder / "text.png").write_text("not a picture")
    done = run("detect", "score", detector, folder, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(answer["images"]) == 2
    assert {p["path"].rsplit("/", 1)[1] for p in answer["unreadable"]} == {"broken.jpg", "text.png"}
    assert "2 files could not be used" in done.stderr
    assert set(answer["images"][0]["scores"]) >= {"mahalanobis", "knn", "patches", "reconstruction", "free_energy"}


def test_heat_maps_are_written(detector, pictures, tmp_path):
    done = run("detect", "score", detector, pictures / "test" / "spot", "--heat", tmp_path / "heat")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "heat").glob("*.png"))) == 8


def test_evaluate_reports_json_and_page(detector, pictures, tmp_path):
    done = run("detect", "evaluate", detector, pictures, "--json", "--report", tmp_path / "report", "--bootstrap", 50)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["auroc"] == 1.0
    assert answer["normal"] == answer["anomalous"] == 8
    assert set(answer["methods"]) >= {"mahalanobis", "knn", "patches", "reconstruction", "free_energy"}
    head = (tmp_path / "report" / "index.html").read_text("utf-8").split("</header>")[0]
    assert f"<h1>{pictures.parent.name}/{pictures.name}, judged by {detector.parent.name}/detector</h1>" in head
    assert "tuning none; fitted on 16 normal images, calibrated on 8 others" in head and "8 calibration scores" in head


def test_evaluate_prints_a_table(detector, pictures):
    done = run("detect", "evaluate", detector, pictures, "--bootstrap", 50, "--method", "knn")
    assert done.returncode == 0, done.stderr
    assert "knn*" in done.stdout
    assert "oracle F1" in done.stdout
    assert "of the normal images (calibrated to 11.1 %, asked for was 1 %), 100 % of the" in done.stdout


def test_inspect_shows_heads_and_calibration(detector, weights):
    answer = json.loads(run("inspect", detector, "--json").stdout)
    assert answer["calibration"]["patches"]["images"] == 8
    assert len([h for h in answer["heads"] if h["block"].startswith("blocks")]) == 6
    assert "indefinite" in run("inspect", weights).stdout


@pytest.mark.parametrize("case", ["empty", "missing", "one", "text"])
def test_bad_folders_get_one_line(case, weights, tmp_path):
    folder = tmp_path / case
    if case != "missing":
        folder.mkdir()
    if case == "one":
        write_images(folder, 1, 0)
    if case == "text":
        for i in range(12):
            (folder / f"{i}.png").write_text("not a picture")
    one_line(run("detect", "fit", folder, "-o", tmp_path / "out", "--model", weights), str(folder))
    assert not (tmp_path / "out" / "config.json").exists()


def test_a_huge_png_is_refused_from_its_header(detector, tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    huge = tmp_path / "huge.png"
    huge.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))
    done = run("detect", "score", detector, huge)
    assert "huge.png" in done.stderr
    one_line(done, "nothing was scored")


def test_bad_settings_get_one_line(detector, pictures, weights, tmp_path):
    good, out = pictures / "train", tmp_path / "out"
    one_line(run("detect", "fit", good, "-o", out, "--model", weights, "--method", "magic"), "magic", "mahalanobis")
    one_line(run("detect", "fit", good, "-o", out, "--model", weights, "--false-alarm-rate", "2"), "false_alarm_rate")
    one_line(run("detect", "fit", good, "-o", out, "--model", tmp_path / "nowhere"), "nowhere")
    one_line(run("detect", "score", tmp_path, pictures), "config.json")
    one_line(run("detect", "evaluate", detector, pictures / "train"), "train")
    assert run("detect", "score").returncode == 2


def test_a_damaged_detector_is_named(detector, pictures, tmp_path):
    for name, content in (("model.safetensors", b"\0" * 64), ("calibration.json", b"{"), ("config.json", b"[]")):
        copy = tmp_path / name
        copy.mkdir()
        for file in detector.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / name).write_bytes(content)
        one_line(run("detect", "score", copy, pictures / "test"), name)


def test_what_lies_in_the_output_folder_survives(pictures, weights, tmp_path):
    own = tmp_path / "out" / "tuning" / "thesis.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    arguments = ("detect", "fit", pictures / "train", "-o", tmp_path / "out", "--model", weights)
    assert run(*arguments, "--tuning", "one-class", "--epochs", 1).returncode == 0
    assert own.read_text() == "mine"
    assert not (tmp_path / "out" / "checkpoint.pt").exists()
    one_line(run(*arguments, "--epochs", 1), "--tuning")
    (tmp_path / "out" / "checkpoint.pt").write_bytes(b"of a killed run")
    one_line(run(*arguments, "--tuning", "one-class"), "--resume")
    one_line(run(*arguments, "--tuning", "one-class", "--resume"), "checkpoint.pt")


@pytest.mark.parametrize("options", [(), ("--tuning", "one-class", "--resume")])
def test_a_finished_detector_is_not_written_over(detector, pictures, weights, options):
    before = (detector / "model.safetensors").read_bytes()
    done = run("detect", "fit", pictures / "train", "-o", detector, "--model", weights, "--seed", 1, *options)
    one_line(done, "holds a finished model; choose another folder")
    assert (detector / "model.safetensors").read_bytes() == before


def test_an_output_that_cannot_be_written_is_noticed_first(pictures, weights, tmp_path):
    (tmp_path / "file").write_text("x")
    done = run("detect", "fit", pictures / "train", "-o", tmp_path / "file", "--model", weights)
    one_line(done, "cannot be written")
    assert "normal images" not in done.stderr


def test_parts_of_two_detectors_do_not_mix(detector, pictures, weights, tmp_path):
    other = tmp_path / "other"
    assert run("detect", "fit", pictures / "train", "-o", other, "--model", weights, "--seed", 1).returncode == 0
    (other / "model.safetensors").write_bytes((detector / "model.safetensors").read_bytes())
    one_line(run("detect", "score", other, pictures / "test"), "different detectors")


def test_a_bad_recipe_is_named(tmp_path):
    recipe = tmp_path / "r.yaml"
    for text, word in (("name: [", "YAML"), ("name: x", "data"), ("name: x\ndata: d\nepochz: 3", "epochz")):
        recipe.write_text(text)
        one_line(run("pretrain", recipe, "-o", tmp_path / "run"), "r.yaml", word)
    one_line(run("pretrain", tmp_path / "none.yaml", "-o", tmp_path / "run"), "none.yaml")


def test_calibrate_decides_by_other_normal_images(detector, pictures, tmp_path):
    others = write_images(tmp_path / "others", 12, 9)
    done = run("detect", "calibrate", detector, others, "-o", tmp_path / "new", "--false-alarm-rate", 0.5)
    assert done.returncode == 0, done.stderr
    split = json.loads((tmp_path / "new" / "calibration.json").read_text())["split"]
    assert split == {"fitting": 16, "calibration": 12, "seed": 0}
    old, new = (run("detect", "score", d, pictures / "test", "--json") for d in (detector, tmp_path / "new"))
    old, new = json.loads(old.stdout), json.loads(new.stdout)
    assert [i["scores"] for i in new["images"]] == [i["scores"] for i in old["images"]]
    assert new["false_alarm_rate"] == pytest.approx(6 / 13) and new["threshold"] < old["threshold"]
    one_line(run("detect", "calibrate", detector, tmp_path / "none", "-o", tmp_path / "x"), "none")


def test_fit_calibrates_on_a_folder_of_its_own(weights, pictures, tmp_path):
    others = write_images(tmp_path / "others", 12, 9)
    options = ["--model", weights, "--false-alarm-rate", 0.1, "--calibrate-on", others]
    done = run("detect", "fit", pictures / "train" / "good", "-o", tmp_path / "new", *options)
    assert done.returncode == 0, done.stderr
    assert "for fitting, 12 for calibration (as given)" in done.stderr
