"""Names on the Hub: the same model as from a folder, from the cache when there is no network, one line otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from attractor.errors import InputError
from attractor.models import ImageET, ImageETConfig
from attractor.models.hub import FILES, located
from attractor.models.store import load_model, model_folder, pretrained, save_model
from fake_hub import FakeHub
from refusals import refusal

SIZES = ImageETConfig(image_size=(8, 8), patch=4, dim=12, heads=3, head_dim=2, memories=5)
NOWHERE = "http://127.0.0.1:9"  # the port where nothing listens


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(ImageET(SIZES), tmp_path / "model")
    return tmp_path / "model"


def unplug(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", NOWHERE)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", NOWHERE + "/{repo_id}/resolve/{revision}/{filename}")


def refused(name: str, *words: str) -> None:
    with refusal(name, *words):
        model_folder(name)


def test_a_name_on_the_hub_loads_what_the_folder_would(hub: FakeHub, folder: Path, capfd):
    commit = hub.add("someone/et", folder).refs["main"]
    found = pretrained("someone/et", "image-et")
    torch.testing.assert_close(found.state_dict(), load_model(folder).state_dict(), rtol=0, atol=0)
    assert capfd.readouterr() == ("", f"someone/et: revision {commit} of the Hub\n")


def test_a_folder_that_is_here_comes_before_the_hub(hub: FakeHub, folder: Path, monkeypatch):
    hub.add("tmp/model", folder)
    monkeypatch.chdir(folder.parent)
    Path("tmp").mkdir()
    folder.rename("tmp/model")
    assert located("tmp/model") == Path("tmp/model")
    assert hub.asked == []


@pytest.mark.parametrize("name", ["nothing", "/no/folder", "./runs/gone", "a/b/c", "~/gone", "../a", "a b/c", "a/b@"])
def test_other_names_are_paths_and_ask_nobody(hub: FakeHub, name: str):
    assert located(name) == Path(name).expanduser()
    assert hub.asked == []


def test_a_revision_is_a_branch_a_tag_or_a_commit(hub: FakeHub, folder: Path):
    repository = hub.add("someone/et", folder)
    first = repository.refs["main"]
    repository.refs["v1"] = repository.refs["refs/pr/1"] = first
    repository.commit({"config.json": b"{}"})
    for revision in ("v1", first, "refs/pr/1"):
        assert load_model(located(f"someone/et@{revision}")).config == SIZES
        assert located(Path(f"someone/et@{revision}")).name == first  # as the command line gives it
    assert (located("someone/et") / "config.json").read_text() == "{}"
    refused("someone/et@v2", "not this revision")


def test_pickles_and_whatever_else_is_there_are_never_fetched(hub: FakeHub, folder: Path):
    others = {"pytorch_model.bin": b"\x80\x04.", "model.pt": b"\x80", "run.py": b"1", "more/config.json": b"{}"}
    hub.add("someone/et", folder, **others)
    there = located("someone/et")
    assert {path.name for path in there.rglob("*")} == {"config.json", "model.safetensors"} == hub.fetched()


def test_a_repository_of_something_else_is_one_line(hub: FakeHub, tmp_path: Path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    hub.add("someone/bert", tmp_path)
    refused("someone/bert", "no config.json")


def test_what_was_fetched_is_there_without_a_network(hub: FakeHub, folder: Path, monkeypatch):
    hub.add("someone/et", folder)
    before = located("someone/et")
    unplug(monkeypatch)
    assert located("someone/et") == before
    refused("someone/other", "does not answer", "check the name and the network")


def test_offline_mode_asks_nobody(hub: FakeHub, folder: Path, monkeypatch):
    from huggingface_hub import constants

    hub.add("someone/et", folder)
    before = located("someone/et")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.asked.clear()
    assert located("someone/et") == before
    refused("someone/other", "does not answer")
    assert hub.asked == []


def test_an_unknown_name_is_one_line_with_both_remedies(hub: FakeHub):
    refused("runs/mistyped", "neither a folder here nor something on the Hub", "check the name", "log in")


def test_a_gated_one_names_its_terms(hub: FakeHub, folder: Path):
    hub.add("someone/et", folder).refusal = (403, "GatedRepo")
    refused("someone/et", "accept the terms", "HF_TOKEN")


def test_a_private_one_asks_for_a_login(hub: FakeHub, folder: Path):
    hub.add("someone/et", folder).refusal = (401, "RepoNotFound")
    refused("someone/et", "log in")


def test_a_name_that_the_hub_would_not_have_is_one_line(hub: FakeHub):
    refused("some--one/et..1", "the exchange with the Hub failed")


def test_a_download_cut_short_is_one_line_and_leaves_no_model(hub: FakeHub, folder: Path):
    hub.add("someone/et", folder)
    hub.cut = 100
    refused("someone/et", "the exchange with the Hub failed")
    hub.cut = None
    assert load_model(located("someone/et")).config == SIZES


def test_a_truncated_file_of_weights_is_named(hub: FakeHub, folder: Path):
    weights = folder / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    hub.add("someone/et", folder)
    with pytest.raises(InputError, match=r"model\.safetensors is not a readable safetensors file"):
        pretrained("someone/et", "image-et")


def test_nothing_that_can_run_code_is_on_the_list():
    assert {Path(file).suffix for file in FILES} == {".json", ".safetensors", ".md"}
