"""What is published comes back by its name, scores as before, and brings nothing with it that was not meant to go."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import attractor
from attractor import AnomalyDetector, Inpainter, from_pretrained, push_to_hub
from attractor.models import ImageET, ImageETConfig, Selyne, SelyneConfig
from attractor.models.store import save_model
from attractor.tasks.inspection import describe
from fake_hub import FakeHub, Repository
from refusals import refusal

TINY = SelyneConfig(dim=32, latent=16, heads=2, depth=2, decoder_depth=1, prototypes=2, dropout=0.0, classes=4)
SMALL = ImageETConfig(image_size=(8, 8), patch=4, dim=12, heads=3, head_dim=2, memories=5)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (24, 64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def detector(images: np.ndarray) -> AnomalyDetector:
    torch.manual_seed(0)
    return AnomalyDetector(Selyne(TINY), method="mahalanobis", false_alarm_rate=0.2).fit(images)


def files_of(hub: FakeHub, name: str) -> dict[str, bytes]:
    repository = hub.repositories[name]
    return repository.commits[repository.refs["main"]]


def refused(call, *words: str) -> None:
    with refusal(*words):
        call()


def test_a_detector_scores_after_the_round_trip_as_before(hub: FakeHub, detector, images, capfd):
    assert push_to_hub(detector, "someone/gravel") == f"{hub.address}/someone/gravel"
    assert capfd.readouterr() == ("", "")
    before = detector.decision_function(images)
    for there in (from_pretrained("someone/gravel"), AnomalyDetector.load("someone/gravel@main")):
        np.testing.assert_array_equal(there.decision_function(images), before)
        np.testing.assert_array_equal(there.predict(images), detector.predict(images))
    assert set(files_of(hub, "someone/gravel")) == {"README.md", "config.json", "calibration.json", "model.safetensors"}
    assert list(hub.large.values()) == [files_of(hub, "someone/gravel")["model.safetensors"]]  # as a large file
    assert describe(Path("someone/gravel"))["calibration"]["mahalanobis"]["images"] == 5


def test_its_card_tells_its_settings_calibration_and_use(hub: FakeHub, detector):
    push_to_hub(detector, "someone/gravel", message="Gravel of May")
    card = files_of(hub, "someone/gravel")["README.md"].decode()
    _, front, text = card.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "attractor",
        "tags": ["anomaly-detection", "selyne"],
    }
    assert 'attractor.from_pretrained("someone/gravel")' in text
    threshold = detector.calibrators_["mahalanobis"].threshold
    assert f"| mahalanobis.threshold | {threshold:.6g} |" in text
    assert "| method | mahalanobis |" in text and "| fitting | 19 |" in text and "| dim | 32 |" in text
    assert f"| attractor | {attractor.__version__} |" in text
    assert hub.messages == ["Gravel of May"]


@pytest.mark.parametrize("license", ["Apache-2.0", "cc-by-nc-4.0", "GPL-2.0+"])
def test_a_licence_is_on_the_card_once_it_is_named(hub: FakeHub, license: str):
    push_to_hub(ImageET(SMALL), "someone/et")
    card = files_of(hub, "someone/et")["README.md"].decode()
    assert "license" not in yaml.safe_load(card.split("---\n")[1]) and "## Licence\n\nNone was declared." in card
    push_to_hub(ImageET(SMALL), "someone/et", license=license)
    card = files_of(hub, "someone/et")["README.md"].decode()
    assert yaml.safe_load(card.split("---\n")[1])["license"] == license.lower()
    assert card.endswith(f"## Licence\n\n{license}.\n") and "None was declared" not in card


@pytest.mark.parametrize("license", ["", "MIT\ntags: [x]", "mine, all mine", "mit: {}", "-", "x" * 1000])
def test_what_is_no_licence_is_refused(hub: FakeHub, license: str):
    refused(lambda: push_to_hub(ImageET(SMALL), "someone/et", license=license), "no identifier of a licence", "SPDX")
    assert hub.asked == []


def test_a_licence_beside_a_card_of_ones_own_is_refused(hub: FakeHub, tmp_path):
    save_model(ImageET(SMALL), tmp_path)
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\nMine.\n")
    refused(lambda: push_to_hub(tmp_path, "someone/et", license="Apache-2.0"), "README.md", "name the licence in it")
    assert hub.asked == []


def test_a_model_and_an_inpainter_become_what_they_were(hub: FakeHub):
    model = ImageET(SMALL)
    push_to_hub(model, "someone/et")
    push_to_hub(Inpainter(model, steps=3), "someone/painter")
    there = from_pretrained("someone/et")
    torch.testing.assert_close(there.state_dict(), model.state_dict(), rtol=0, atol=0)
    painter = from_pretrained("someone/painter")
    assert isinstance(painter, Inpainter) and painter.steps == 3
    picture = torch.rand(1, 3, 8, 8)
    by_name, here = Inpainter("someone/et", steps=3).transform(picture), Inpainter(model, steps=3).transform(picture)
    torch.testing.assert_close(painter.transform(picture), here, rtol=0, atol=0)
    torch.testing.assert_close(by_name, here, rtol=0, atol=0)
    assert "| steps | 3 |" in files_of(hub, "someone/painter")["README.md"].decode()


def test_of_a_folder_goes_what_it_takes_to_load_and_the_card_that_is_there(hub: FakeHub, tmp_path):
    save_model(ImageET(SMALL), tmp_path)
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\nMine.\n")
    for private in ("checkpoint.pt", "notes.txt", "model.bin"):
        (tmp_path / private).write_text("private")
    push_to_hub(tmp_path, "someone/et")
    assert set(files_of(hub, "someone/et")) == {"README.md", "config.json", "model.safetensors"}
    assert files_of(hub, "someone/et")["README.md"] == b"---\nlicense: mit\n---\nMine.\n"


def test_the_run_that_made_a_model_is_on_its_card_without_the_path_of_its_data(hub: FakeHub, tmp_path):
    save_model(ImageET(SMALL), tmp_path / "best")
    result = json.loads((Path(__file__).parents[3] / "results" / "pretrain-selyne-tiny.json").read_text())
    result["recipe"]["data"] = "/home/someone/secret/photographs"
    (tmp_path / "result.json").write_text(json.dumps(result))
    push_to_hub(tmp_path / "best", "someone/et")
    card = files_of(hub, "someone/et")["README.md"].decode()
    assert "| data | photographs |" in card and "secret" not in card
    assert f"accuracy {result['val_accuracy']:.4f}" in card


def test_what_cannot_be_loaded_is_not_published(hub: FakeHub, detector, tmp_path):
    detector.save(tmp_path)
    (tmp_path / "calibration.json").write_text('{"weights": "of another"}')
    refused(lambda: push_to_hub(tmp_path, "someone/gravel"), "parts of different detectors")
    refused(lambda: push_to_hub(tmp_path / "none", "someone/gravel"), "none")
    refused(lambda: push_to_hub({"a": 1}, "someone/gravel"), "dict", "give a model")
    refused(lambda: push_to_hub(torch.nn.Linear(1, 1), "someone/gravel"), "Linear")
    refused(lambda: push_to_hub(AnomalyDetector(), "someone/gravel"), "not fitted")
    assert hub.asked == []


@pytest.mark.parametrize("name", ["gravel", "someone/gravel@main", "a/b/c", "someone/", "", "../x"])
def test_a_name_that_is_none_is_refused_first(hub: FakeHub, name: str):
    refused(lambda: push_to_hub("no folder", name), repr(name), "give org/name")


def test_only_who_may_write_does(hub: FakeHub, tmp_path):
    save_model(ImageET(SMALL), tmp_path)
    hub.token = "hf_right"
    for token in (None, "hf_wrong"):
        refused(lambda token=token: push_to_hub(tmp_path, "someone/et", token=token), "someone/et", "log in")
    push_to_hub(tmp_path, "someone/et", token="hf_right")
    assert "model.safetensors" in files_of(hub, "someone/et")


def test_private_is_private_or_nothing(hub: FakeHub, tmp_path):
    save_model(ImageET(SMALL), tmp_path)
    push_to_hub(tmp_path, "someone/hidden", private=True)
    assert hub.repositories["someone/hidden"].private
    hub.repositories["someone/open"] = Repository()
    hub.repositories["someone/open"].commit({})
    refused(lambda: push_to_hub(tmp_path, "someone/open", private=True), "public")
    assert files_of(hub, "someone/open") == {}


def test_a_second_push_is_a_second_commit(hub: FakeHub):
    push_to_hub(ImageET(SMALL), "someone/et")
    first = hub.repositories["someone/et"].refs["main"]
    changed = ImageET(SMALL)
    push_to_hub(changed, "someone/et")
    old, new = from_pretrained(f"someone/et@{first}"), from_pretrained("someone/et")
    assert torch.equal(new.mask_token, changed.mask_token) and not torch.equal(old.mask_token, new.mask_token)


def test_a_card_the_hub_refuses_is_one_line(hub: FakeHub, tmp_path):
    save_model(ImageET(SMALL), tmp_path)
    (tmp_path / "README.md").write_text("no front matter")
    refused(lambda: push_to_hub(tmp_path, "someone/et"), "someone/et", "metadata is missing")


def test_without_a_network_it_is_one_line(hub: FakeHub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    refused(lambda: push_to_hub(ImageET(SMALL), "someone/et"), "someone/et", "check the network")
