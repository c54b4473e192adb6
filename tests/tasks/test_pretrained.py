"""One name for whatever a folder holds."""

import json

import pytest

from attractor import GraphClassifier, InputError, from_pretrained
from attractor.models import ImageET, ImageETConfig, NodeET, NodeETConfig, Selyne
from attractor.models.store import save_model
from attractor.tasks.inpainting.inpainter import Inpainter
from attractor.tasks.pretrained import kind_of

SMALL = ImageETConfig(image_size=(8, 8), patch=4, dim=12, heads=3, head_dim=2, memories=5)


def test_shipped_names_are_models():
    assert isinstance(from_pretrained("selyne-tiny"), Selyne)
    assert isinstance(from_pretrained("et-tiny"), ImageET)


def test_a_folder_is_what_it_was_saved_from(tmp_path):
    save_model(NodeET(NodeETConfig(features=2, dim=4, heads=1, head_dim=4, memories=3)), tmp_path / "nodes")
    Inpainter(ImageET(SMALL), steps=7).save(tmp_path / "painter")
    assert isinstance(from_pretrained(tmp_path / "nodes"), NodeET)
    painter = from_pretrained(str(tmp_path / "painter"))
    assert isinstance(painter, Inpainter) and painter.steps == 7
    assert [kind_of(tmp_path / name) for name in ("nodes", "painter")] == ["NodeET", "Inpainter"]


@pytest.mark.parametrize(
    "config", [[], {}, {"task": "Oracle"}, {"task": ["AnomalyDetector"]}, {"kind": "gpt", "version": 1, "model": {}}]
)
def test_what_this_release_does_not_know_is_one_line(tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"config\.json"):
        from_pretrained(tmp_path)


def test_a_task_is_refused_by_another(tmp_path):
    Inpainter(ImageET(SMALL)).save(tmp_path)
    with pytest.raises(InputError, match="GraphClassifier"):
        GraphClassifier.load(tmp_path)


def test_nothing_is_one_line():
    with pytest.raises(InputError, match="nor one that ships"):
        from_pretrained("no-such-thing")
