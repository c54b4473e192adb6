"""Models as folders: exact round trips, and one line for whatever is wrong with a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from attractor.errors import InputError
from attractor.models import ImageET, ImageETConfig, Selyne, SelyneConfig, store
from attractor.models.store import load_model, load_tensors, load_weights, pretrained, save_model, save_tensors
from refusals import refusal


def tiny(**changes: object) -> Selyne:
    sizes = {
        "image_size": (16, 8),
        "patch_sizes": (4, 8),
        "dim": 12,
        "latent": 6,
        "heads": 3,
        "depth": 1,
        "prototypes": 2,
        "classes": 4,
    }
    return Selyne(SelyneConfig(**{**sizes, **changes}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tiny(), tmp_path / "model")
    return tmp_path / "model"


def one_line(call: Callable[[], object], *names: str) -> None:
    with refusal(*names):
        call()


@pytest.mark.parametrize("changes", [{}, {"attention": "standard"}, {"channels": 1}, {"normalize_keys": False}])
def test_round_trip_is_exact(tmp_path: Path, changes: dict) -> None:
    model = tiny(**changes)
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert loaded.config == model.config and not loaded.training
    torch.testing.assert_close(loaded.state_dict(), model.state_dict(), rtol=0, atol=0)
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["config.json", "model.safetensors"]


def test_a_folder_may_be_a_string_that_begins_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    model = tiny()
    save_model(model, "~/m")
    assert (tmp_path / "m" / "config.json").exists()
    torch.testing.assert_close(load_model("~/m").state_dict(), model.state_dict(), rtol=0, atol=0)


def test_loading_draws_no_random_numbers(folder: Path) -> None:
    before = torch.get_rng_state()
    load_model(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_float16_takes_half_the_room_and_loads_as_float32(tmp_path: Path) -> None:
    model = tiny(dim=96)
    save_model(model, tmp_path / "full")
    save_model(model, tmp_path / "half", torch.float16)
    full, half = ((tmp_path / f / "model.safetensors").stat().st_size for f in ("full", "half"))
    assert 0.5 <= half / full < 0.53
    loaded = load_model(tmp_path / "half")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    rounded = {name: t.half().float() for name, t in model.state_dict().items()}
    torch.testing.assert_close(loaded.state_dict(), rounded, rtol=0, atol=0)


def test_saving_does_not_change_the_model(tmp_path: Path) -> None:
    model = tiny()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    save_model(model, tmp_path, torch.float16)
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


def test_views_of_one_storage_are_saved_apart(tmp_path: Path) -> None:
    base = torch.randn(4, 6)
    save_tensors(tmp_path / "t.safetensors", {"all": base, "column": base[:, 1], "turned": base.T})
    loaded = load_tensors(tmp_path / "t.safetensors")
    torch.testing.assert_close(loaded, {"all": base, "column": base[:, 1], "turned": base.T}, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    one_line(lambda: load_model(folder), str(folder / name), "missing")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_named(folder: Path, share: float) -> None:
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(share * len(whole))])
    one_line(lambda: load_model(folder), str(weights))


@pytest.mark.parametrize("junk", [b"not safetensors at all", b"\xff" * 64, b"\x80\x02]q\x00."])
def test_foreign_weights_are_named(folder: Path, junk: bytes) -> None:
    (folder / "model.safetensors").write_bytes(junk)
    one_line(lambda: load_model(folder), str(folder / "model.safetensors"))


def test_a_folder_in_place_of_the_weights_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    one_line(lambda: load_model(folder), str(folder / "model.safetensors"))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"version": 99, "model": {}}', '{"version": 1}'])
def test_a_broken_or_foreign_config_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    one_line(lambda: load_model(folder), str(folder / "config.json"))


@pytest.mark.parametrize(("name", "value"), [("dim", 13), ("dim", "wide"), ("patch_sizes", []), ("flavour", 1)])
def test_a_config_with_bad_sizes_is_named(folder: Path, name: str, value: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["model"][name] = value
    (folder / "config.json").write_text(json.dumps(config))
    one_line(lambda: load_model(folder), str(folder / "config.json"), name)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_weights_of_another_model_are_refused(change: str) -> None:
    other = tiny().state_dict()
    if change == "missing":
        del other["cls_token"]
    elif change == "unknown":
        other = {**other, "cls_token_2": torch.zeros(1)}
    else:
        other["cls_token"] = torch.zeros(1, 1, 13)
    one_line(lambda: load_weights(tiny(), other, "weights.safetensors"), "weights.safetensors", "cls_token")


def test_weights_of_a_much_larger_model_still_give_one_short_line() -> None:
    with pytest.raises(InputError) as caught:
        load_weights(tiny(), tiny(depth=8, dim=24).state_dict(), "weights.safetensors")
    assert len(str(caught.value)) < 1000


def test_an_interrupted_write_leaves_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_model(folder).state_dict()

    def interrupted(tensors: dict, path: Path) -> None:
        path.write_bytes(b"half of the weigh")
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_model(tiny(), folder)
    torch.testing.assert_close(load_model(folder).state_dict(), before, rtol=0, atol=0)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_pretrained_takes_a_folder_and_refuses_what_is_none(folder: Path) -> None:
    assert pretrained(str(folder)).config == tiny().config
    one_line(lambda: pretrained("no/such/model"), "no/such/model", "selyne-tiny")


def test_what_was_fitted_is_no_model(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"format": 4, "task": "AnomalyDetector", "model": {}}))
    one_line(lambda: pretrained(str(folder)), "is of a fitted AnomalyDetector, no model")


def test_weights_that_do_not_ship_are_named() -> None:
    one_line(lambda: pretrained("selyne-base"), "selyne-base")


def test_a_config_of_another_size_fills_no_memory(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["model"] |= {"dim": 120_000, "heads": 1}
    (folder / "config.json").write_text(json.dumps(config))
    one_line(lambda: load_model(folder), "model.safetensors", "120000")


def test_a_config_of_a_thousand_layers_is_refused_before_any_is_built(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["model"]["depth"] = 1000
    (folder / "config.json").write_text(json.dumps(config))
    one_line(lambda: load_model(folder), "model.safetensors", "fewer than its depth")


def test_weights_without_an_array_are_refused_before_there_is_room_for_it(folder: Path) -> None:
    tensors = load_tensors(folder / "model.safetensors")
    del tensors["cls_token"]
    save_tensors(folder / "model.safetensors", tensors)
    one_line(lambda: load_model(folder), "model.safetensors", "cls_token is missing")


def test_weights_of_a_diverged_training_are_refused(folder: Path) -> None:
    tensors = load_tensors(folder / "model.safetensors")
    tensors["norm.bias"][0] = float("nan")
    save_tensors(folder / "model.safetensors", tensors)
    one_line(lambda: load_model(folder), "norm.bias", "finite")


def test_both_kinds_of_model_are_told_apart(tmp_path: Path, folder: Path) -> None:
    config = ImageETConfig(image_size=(8, 8), patch=4, dim=8, heads=1, head_dim=4, memories=4)
    save_model(ImageET(config), tmp_path / "et")
    assert load_model(tmp_path / "et").config == config
    one_line(lambda: pretrained(str(tmp_path / "et")), "ImageET", "Selyne")
    one_line(lambda: pretrained(str(folder), "image-et"), "Selyne", "ImageET")
