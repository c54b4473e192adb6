"""Fits are whole or not at all and leave the caller's generators alone, and what is saved is what was fitted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, cross_val_score

from attractor import AnomalyDetector, GraphAnomalyDetector, GraphClassifier, Inpainter, NodeAnomalyDetector
from attractor.errors import InputError
from attractor.models import ImageET, ImageETConfig, Selyne, SelyneConfig
from attractor.training import loop
from attractor.training.seeding import rng_state
from rings import rings_and_paths

RINGS = rings_and_paths()
PICTURES = list(np.random.default_rng(0).integers(0, 255, (14, 16, 16, 3)).astype(np.uint8))
SELYNE = SelyneConfig(image_size=(16, 16), patch_sizes=(4,), dim=12, latent=6, heads=3, depth=3, prototypes=2)
PAINTER = ImageETConfig(image_size=(16, 16), patch=4, dim=16, heads=2, head_dim=8, memories=8, steps=2)
NODES = (torch.rand(60, 4), torch.randint(60, (2, 200)), torch.arange(60) % 3 // 2)

ESTIMATORS: dict[str, Callable[[], tuple[Any, Any, str, str]]] = {  # unfitted, its data, how it answers, a setting
    "images": lambda: (
        AnomalyDetector(Selyne(SELYNE), tuning="damage", epochs=1),
        PICTURES,
        "decision_function",
        "tiles",
    ),
    "nodes": lambda: (NodeAnomalyDetector(dim=8, epochs=2, members=2), NODES, "decision_function", "members"),
    "classes": lambda: (GraphClassifier(dim=8, blocks=1, epochs=2, members=2), RINGS, "predict_proba", "members"),
    "graphs": lambda: (
        GraphAnomalyDetector(dim=8, blocks=1, epochs=2, members=2),
        RINGS,
        "decision_function",
        "members",
    ),
    "painter": lambda: (Inpainter(ImageET(PAINTER), epochs=1), PICTURES, "transform", ""),
}


def answer(fitted: Any, how: str, data: Any) -> np.ndarray:
    return np.asarray(getattr(fitted, how)(data))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_interrupted_fit_leaves_what_was_fitted_before(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, data, how, _ = ESTIMATORS[kind]()
    fitted = ESTIMATORS[kind]()[0].fit(data)
    before, held = answer(fitted, how, data), set(vars(fitted))

    def interrupted(self: loop.Trainer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.Trainer, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted.set_params(seed=1).fit(data)
    assert set(vars(fitted)) == held
    np.testing.assert_array_equal(answer(fitted, how, data), before)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(data)
    if kind != "painter":  # which paints as it is
        with pytest.raises(InputError, match="not fitted"):
            answer(fresh, how, data)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_fitting_and_loading_leave_the_callers_random_numbers_alone(kind: str, tmp_path: Path) -> None:
    unfitted, data, *_ = ESTIMATORS[kind]()
    before = rng_state()
    type(unfitted).load(unfitted.fit(data).save(tmp_path / "saved"))
    after = rng_state()
    assert torch.equal(after["torch"], before["torch"]) and after["python"] == before["python"]
    assert torch.equal(after["numpy"][1], before["numpy"][1])


@pytest.mark.parametrize("kind", [kind for kind in ESTIMATORS if kind != "painter"])
def test_settings_changed_since_the_fit_are_not_saved(kind: str, tmp_path: Path) -> None:
    fitted, data, how, setting = ESTIMATORS[kind]()
    fitted.fit(data)
    kept = getattr(fitted, setting)
    fitted.set_params(**{setting: True if setting == "tiles" else 1})
    with pytest.raises(InputError, match=f"{setting}: changed since the fit"):
        fitted.save(tmp_path / "saved")
    loaded = type(fitted).load(fitted.set_params(**{setting: kept}).save(tmp_path / "saved"))
    np.testing.assert_array_equal(answer(loaded, how, data), answer(fitted, how, data))
    with pytest.raises(InputError, match="changed since"):
        loaded.set_params(seed=5).save(tmp_path / "again")


def test_another_score_may_decide_what_is_saved(tmp_path: Path) -> None:
    fitted = AnomalyDetector(Selyne(SELYNE)).fit(PICTURES)
    loaded = AnomalyDetector.load(fitted.set_params(method="knn").save(tmp_path / "saved"))
    np.testing.assert_array_equal(loaded.predict(PICTURES), fitted.predict(PICTURES))
    with pytest.raises(InputError, match="no score named 'nope'"):
        fitted.set_params(method="nope").save(tmp_path / "saved")
    assert AnomalyDetector.load(tmp_path / "saved").method == "knn"


def test_a_save_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (AnomalyDetector(Selyne(SELYNE), seed=seed).fit(PICTURES) for seed in (0, 1))
    folder = first.save(tmp_path / "saved")

    def no_room(value: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("attractor.tasks.saving.json_text", no_room)
    with pytest.raises(InputError, match="the disk is full"):
        second.save(folder)
    loaded = AnomalyDetector.load(folder)
    np.testing.assert_array_equal(loaded.decision_function(PICTURES), first.decision_function(PICTURES))


def test_scikit_learn_searches_and_scores() -> None:
    classes = [RINGS.y.values[code] for code in RINGS.y.codes]
    search = GridSearchCV(GraphClassifier(dim=8, blocks=1), {"epochs": np.arange(1, 3), "lr": np.float32([0.01])}, cv=2)
    search.fit(networks(), classes)
    assert search.best_params_["epochs"] in (1, 2)
    found = cross_val_score(GraphClassifier(dim=8, blocks=1, epochs=1), networks(), classes, scoring="roc_auc", cv=2)
    assert np.isfinite(found).all()


def networks() -> list[Any]:
    return [nx.cycle_graph(6) if i % 2 == 0 else nx.path_graph(6) for i in range(len(RINGS))]


def test_classes_of_several_kinds_stay_what_they_are() -> None:
    fitted = GraphClassifier(dim=8, blocks=1, epochs=1).fit(networks(), [1, "a"] * (len(RINGS) // 2))
    assert {type(value) for value in fitted.predict(networks())} <= {int, str}
    assert sorted(map(str, fitted.classes_)) == ["1", "a"]


def test_ties_by_rounding_are_normal_nodes() -> None:
    def ring(n: int) -> tuple[np.ndarray, np.ndarray]:
        return np.ones((n, 3), "f4"), np.stack([np.arange(n), (np.arange(n) + 1) % n])

    for nodes in (300, 1000):
        fitted = NodeAnomalyDetector(dim=8, epochs=5, members=2).fit(ring(nodes))
        assert not fitted.predict(ring(nodes)).any() and not fitted.predict(ring(50)).any()
