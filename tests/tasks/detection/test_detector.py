"""The detector a user holds: fit, score, decide, save and load, with every tuning; bad input gets its one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from attractor.data.sources import as_source
from attractor.errors import InputError
from attractor.files import read_json, write_json
from attractor.models import Selyne, SelyneConfig
from attractor.models.config import PRESETS
from attractor.models.store import save_model
from attractor.scoring.methods import METHODS
from attractor.tasks.detection.detector import AnomalyDetector
from attractor.tasks.detection.evaluate import look
from attractor.tasks.inspection import describe
from attractor.training import damaged
from attractor.training.background import write_background
from foreign_folders import assert_refuses_a_mixture, assert_refuses_foreign_files

CONFIG = SelyneConfig(image_size=(16, 16), patch_sizes=(4,), dim=12, latent=6, heads=3, depth=3, prototypes=2)


def pictures(count: int, seed: int, size: tuple[int, int] = (24, 40)) -> list[np.ndarray]:
    """Grey noise around a level of its own."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 30, size).astype(np.uint8) + np.uint8(rng.integers(80, 120)) for _ in range(count)]


def detector(**options: object) -> AnomalyDetector:
    return AnomalyDetector(Selyne(CONFIG).eval(), **{"false_alarm_rate": 0.2, **options})


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged, "VIEWS", 64)


@pytest.mark.parametrize("tiles", [False, True])
@pytest.mark.parametrize("tuning", ["none", "one-class", "damage"])
def test_a_saved_detector_scores_as_before(tmp_path: Path, tuning: str, tiles: bool) -> None:
    method = "damage" if tuning == "damage" else "patches"
    fitted = detector(method=method, tuning=tuning, epochs=1, tiles=tiles).fit(pictures(15, 0))
    before = fitted.score_images(pictures(4, 1), heats=True)
    loaded = AnomalyDetector.load(fitted.save(tmp_path / "detector"))
    after = loaded.score_images(pictures(4, 1), heats=True)
    missing = {name for name, absent in {"damage": tuning != "damage", "places": tiles}.items() if absent}
    assert set(before.scores) == {*METHODS, "combined"} - missing
    for name, scores in before.scores.items():
        np.testing.assert_array_equal(after.scores[name], scores, err_msg=name)
    np.testing.assert_array_equal(after.heats, before.heats)
    assert (after.method, after.heat_limits) == (method, before.heat_limits)
    assert {path.name for path in (tmp_path / "detector").iterdir()} == {
        "config.json",
        "model.safetensors",
        "calibration.json",
    }


def test_a_loaded_detector_knows_its_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that others can use is kept; an encoder without one is there itself, and fitted again gives the same."""
    monkeypatch.setitem(PRESETS, "selyne-toy", CONFIG)
    named = AnomalyDetector("selyne-toy", pretrained=False, seed=1).fit(pictures(12, 0))
    loaded = AnomalyDetector.load(named.save(tmp_path / "named"))
    assert repr(loaded) == repr(named) and loaded.get_params() == named.get_params()
    settings = describe(tmp_path / "named")["detector"]
    assert (settings["model"], settings["pretrained"]) == ("selyne-toy", False)
    save_model(Selyne(CONFIG).eval(), tmp_path / "encoder")
    for own in (AnomalyDetector(tmp_path / "encoder"), detector()):
        own.fit(pictures(12, 0))
        loaded = AnomalyDetector.load(own.save(tmp_path / "own"))
        assert "encoder" not in (tmp_path / "own" / "config.json").read_text()
        expected = own.decision_function(pictures(3, 1))
        np.testing.assert_array_equal(loaded.fit(pictures(12, 0)).decision_function(pictures(3, 1)), expected)


def test_another_encoder_than_that_of_the_fit_is_not_saved(tmp_path: Path) -> None:
    fitted = detector().fit(pictures(12, 0)).set_params(model="selyne-tiny")
    with pytest.raises(InputError, match="model: changed since the fit"):
        fitted.save(tmp_path / "detector")


def test_the_model_given_is_not_trained() -> None:
    model = Selyne(CONFIG).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fitted = AnomalyDetector(model, tuning="one-class", epochs=1, false_alarm_rate=0.2).fit(pictures(12, 0))
    trained = fitted.scorer_.model.state_dict()
    assert all((tensor == before[name]).all() for name, tensor in model.state_dict().items())
    assert any((tensor != before[name]).any() for name, tensor in trained.items())


def test_the_seed_decides_everything() -> None:
    model, runs = Selyne(CONFIG).eval(), []
    for seed in (3, 3, 4):
        torch.rand(5)  # what was drawn before must not matter
        fitted = AnomalyDetector(model, method="damage", tuning="damage", epochs=1, seed=seed).fit(pictures(12, 0))
        runs.append(fitted.decision_function(pictures(4, 1)))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_odd_images_are_flagged_and_normal_ones_rarely() -> None:
    fitted = detector(tiles=True).fit(pictures(60, 0))
    assert fitted.split_ == {"fitting": 48, "calibration": 12, "seed": 0}
    odd = pictures(10, 2)
    for image in odd:
        image[4:14, 10:20] = 255
    assert fitted.predict(odd).mean() > 0.8
    assert fitted.predict(pictures(40, 3)).mean() < 0.45
    assert fitted.score([*odd, *pictures(10, 4)], [1] * 10 + [0] * 10) > 0.9
    heat = fitted.score_images(odd[:1], heats=True).heats[0]  # 24 x 40 pixels shown at 77 x 128
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert heat.shape == (77, 128) and 6 <= row <= 52 and 24 <= column <= 72


@pytest.mark.parametrize("options", [{}, {"tiles": True, "mirrored": True}], ids=["plain", "tiles"])
def test_the_false_alarm_rate_holds_by_every_method(options: dict[str, bool]) -> None:
    """Over many splits of exchangeable images; scores that had seen the calibration images would break it."""
    shares: dict[str, list[float]] = {}
    for seed in range(12):
        fitted = detector(calibration=0.5, seed=seed, **options).fit(pictures(80, seed))
        for name, scores in fitted.score_images(pictures(80, 100 + seed)).scores.items():
            shares.setdefault(name, []).append(fitted.calibrators_[name].is_anomalous(scores).mean())
    # 8 of 41 are asked for; in one split the share flagged varies by 0.16 (1 / 41 + 1 / 80)
    assert max(np.mean(share) for share in shares.values()) < 8 / 41 + 4 * np.sqrt(0.16 * (1 / 41 + 1 / 80) / 12)


def test_a_mirrored_image_is_known_where_mirrored_ones_are_fitted() -> None:
    images = pictures(15, 0)
    turned = [image[:, ::-1].copy() for image in images]
    known, strange = (detector(mirrored=m).fit(images).score_images(turned).scores["places"] for m in (True, False))
    assert np.median(known) < 0.1 * np.median(strange)


def test_unreadable_files_are_listed_and_never_scored(tmp_path: Path) -> None:
    for i, image in enumerate(pictures(14, 0)):
        Image.fromarray(image).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "05.png").write_text("no picture")
    fitted = detector(tuning="damage", epochs=1).fit(tmp_path)
    assert [Path(error.path).name for error in fitted.unreadable_] == ["05.png"]
    result = fitted.score_images(tmp_path)
    assert len(result.names) == 13 and 5 not in result.indices and len(result.unreadable) == 1
    with pytest.raises(InputError, match=r"05\.png"):
        fitted.predict(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tuning": "magic"}, "tuning is 'magic'; choose one of none, one-class, damage"),
        ({"tiles": "no"}, "tiles is 'no'; give True or False"),
        ({"seed": 0.5}, "seed is 0.5; give a whole number from 0 to 4294967295"),
        ({"resolution": 100.5}, "resolution is 100.5; give a whole number of 1 or more"),
        ({"epochs": 0}, "epochs is 0"),
        ({"calibration": "x"}, "calibration is 'x'; give a share above 0 and up to 0.9"),
        ({"method": ["knn"]}, "no score named"),
        ({"false_alarm_rate": None}, "false_alarm_rate is None"),
        ({"method": "damage"}, "needs tuning='damage'"),
        ({"method": "colour"}, "no score named 'colour'"),
        ({"false_alarm_rate": 2}, "false_alarm_rate is 2"),
    ],
)
def test_bad_options_are_refused_before_any_work(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        detector(**options).fit(pictures(12, 0))


def test_use_before_fit_is_refused(tmp_path: Path) -> None:
    for use in (lambda: detector().predict(pictures(1, 0)), lambda: detector().save(tmp_path)):
        with pytest.raises(InputError, match="not fitted"):
            use()


def test_a_foreign_or_mixed_folder_is_refused(tmp_path: Path) -> None:
    fitted, other = (detector(seed=seed).fit(pictures(12, seed)) for seed in range(2))
    assert_refuses_foreign_files(fitted, tmp_path)
    assert_refuses_a_mixture(fitted, other, tmp_path)


def test_a_detector_of_earlier_scores_is_refused(tmp_path: Path) -> None:
    """Its calibration is of other scores than those it would be held against."""
    folder = detector().fit(pictures(12, 0)).save(tmp_path / "detector")
    saved = read_json(folder / "config.json")
    write_json(folder / "config.json", {**saved, "format": saved["format"] - 1})
    with pytest.raises(InputError, match=r"is of the format 3 of AnomalyDetector, not 4; fit it again"):
        AnomalyDetector.load(folder)


def test_distances_are_relative_to_the_background_that_came_with_the_encoder(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    save_model(Selyne(CONFIG).eval(), folder)
    plain = AnomalyDetector(folder, false_alarm_rate=0.2).fit(pictures(15, 0)).score_images(pictures(4, 1))
    write_background(folder, torch.randint(256, (40, 3, 16, 16), dtype=torch.uint8))
    fitted = AnomalyDetector(folder, false_alarm_rate=0.2).fit(pictures(15, 0))
    relative = fitted.score_images(pictures(4, 1))
    np.testing.assert_array_equal(relative.scores["mahalanobis"], plain.scores["mahalanobis"])
    assert not np.allclose(relative.scores["combined"], plain.scores["combined"])
    loaded = AnomalyDetector.load(fitted.save(tmp_path / "detector")).score_images(pictures(4, 1))
    np.testing.assert_array_equal(loaded.scores["combined"], relative.scores["combined"])
    tuned = AnomalyDetector(folder, tuning="one-class", epochs=1, false_alarm_rate=0.2).fit(pictures(15, 0))
    assert tuned.scorer_.background is None  # which was of another encoder
    tiled = AnomalyDetector(folder, tiles=True, false_alarm_rate=0.2).fit(pictures(15, 0))
    assert tiled.scorer_.background is None  # which was of whole images
    damaged = AnomalyDetector(folder, tuning="damage", epochs=1, false_alarm_rate=0.2).fit(pictures(15, 0))
    assert damaged.scorer_.background is not None  # for the encoder is as it was


@pytest.mark.parametrize("tiles", [False, True])
def test_pictures_of_an_image_are_of_its_size(tiles: bool) -> None:
    images = np.random.default_rng(0).integers(256, size=(12, 160, 200, 3), dtype=np.uint8)
    fitted = AnomalyDetector(Selyne(CONFIG).eval(), tiles=tiles, false_alarm_rate=0.2, resolution=40).fit(images)
    original, reconstruction, heat = look(fitted, as_source(images, 3), 4, "patches")
    assert original.shape == reconstruction.shape == (160, 200, 3) and heat.shape == (160, 200)
    assert np.array_equal(original, images[4]) and np.isfinite(heat).all()


def test_images_of_ones_own_choice_calibrate(tmp_path: Path) -> None:
    """At once or later: the same decisions, from all images fitted on and from p-values of the others alone."""
    normal, others, new = pictures(15, 0), pictures(9, 5), pictures(3, 6)
    chosen = detector().fit(normal, calibrate_on=others)
    later = detector(false_alarm_rate=0.5).set_params(model=chosen.model).fit(normal, calibrate_on=pictures(4, 7))
    later = AnomalyDetector.load(later.save(tmp_path / "later")).set_params(false_alarm_rate=0.2).calibrate(others)
    assert chosen.split_ == later.split_ == {"fitting": 15, "calibration": 9, "seed": 0}
    expected, answer = chosen.score_images(new), later.score_images(new)
    np.testing.assert_array_equal(answer.scores["combined"], expected.scores["combined"])
    np.testing.assert_array_equal(answer.p_values, expected.p_values)
    ranks = (chosen.decision_function(others)[:, None] >= expected.scores["combined"]).sum(axis=0)
    np.testing.assert_allclose(expected.p_values, (1 + ranks) / 10)
    assert later.calibrators_["knn"].threshold == chosen.calibrators_["knn"].threshold


@pytest.mark.parametrize("tiles", [False, True])
def test_images_that_were_fitted_on_do_not_calibrate_unnoticed(
    tmp_path: Path, tiles: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether at once or later, from files or arrays; and images that differ by one pixel are others."""
    normal, others = pictures(15, 0), pictures(9, 5)
    fitted = detector(tiles=tiles, resolution=24).fit(normal, calibrate_on=[*others, *normal[:2]])
    assert "2 of 11 calibration images are the same as images it was fitted on" in capsys.readouterr().err
    loaded = AnomalyDetector.load(fitted.save(tmp_path / "detector"))
    altered = normal[7].copy()
    altered[12, 20] += 40
    loaded.calibrate([*others, altered])
    assert "fitted on" not in capsys.readouterr().err
    Image.fromarray(normal[7]).save(tmp_path / "again.png")
    loaded.calibrate(tmp_path / "again.png")
    assert "1 of 1 calibration images are the same as" in capsys.readouterr().err
    detector(tiles=tiles).fit(normal)
    assert "fitted on" not in capsys.readouterr().err


def test_a_calibration_that_fails_leaves_the_detector_as_it_was(tmp_path: Path) -> None:
    fitted = detector().fit(pictures(15, 0))
    before = fitted.calibrators_, fitted.split_
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"none of the 1 calibration images can be read"):
        fitted.calibrate(tmp_path)
    assert (fitted.calibrators_, fitted.split_) == before
    with pytest.raises(InputError, match="not fitted"):
        detector().calibrate(pictures(3, 0))


def test_a_checkpoint_folder_may_be_a_string(tmp_path: Path) -> None:
    detector(tuning="one-class", epochs=1).fit(pictures(12, 0), checkpoint=str(tmp_path / "run"))
    assert (tmp_path / "run" / "checkpoint.pt").is_file()
