"""What inspect tells of an energy transformer."""

import pytest
import torch

from attractor.errors import InputError
from attractor.models import GraphET, GraphETConfig, ImageET, ImageETConfig
from attractor.models.store import save_model
from attractor.tasks.inspection import describe

SIZES = {"image_size": (8, 8), "patch": 4, "dim": 12, "heads": 3, "head_dim": 2, "memories": 5}


def test_an_image_et_shows_its_energies(tmp_path):
    model = ImageET(ImageETConfig(**SIZES, blocks=2, beta=0.25, activation="softmax"))
    last = model.descents[1]
    with torch.no_grad():
        last.norm.gamma.fill_(1.5)
        last.attention.W[0, 2].fill_(0.5)  # W_Q of the last head
        last.attention.W[1, 2].zero_()
        last.memory.xi.zero_()
        last.memory.xi[3, 0] = 10
    save_model(model, tmp_path)
    shown = describe(tmp_path)
    assert shown["model"]["memories"] == 5
    parameters = shown["parameters"]
    assert parameters.pop("total") == sum(parameters.values()) == sum(p.numel() for p in model.parameters())
    assert parameters["positions"] == 5 * 12
    assert len(shown["heads"]) == 6
    row = {"block": 1, "head": 2, "beta": 0.25, "|W_Q|": pytest.approx(0.5 * 24**0.5), "|W_K|": 0.0}
    assert shown["heads"][-1] == row
    assert shown["norms"][1] == {"block": 1, "gamma": 1.5, "|delta|": 0.0}
    memory = {"block": 1, "count": 5, "activation": "softmax", "mean |xi|": 2.0, "largest |xi|": 10.0}
    assert shown["memories"][1] == memory


def test_a_graph_et_shows_a_temperature_for_every_head_and_block(tmp_path):
    sizes = {"features": 2, "positions": 3, "links": 4, "classes": 5, "dim": 12, "heads": 3, "head_dim": 4}
    model = GraphET(GraphETConfig(**sizes, memories=7, blocks=2))
    with torch.no_grad():
        model.descents[1].attention.beta[2] = 0.125
        model.descents[1].norm.gamma.fill_(2.0)
    save_model(model, tmp_path)
    shown = describe(tmp_path)
    assert shown["model"]["classes"] == 5 and shown["parameters"]["reader"] == 12
    assert [(row["block"], row["head"]) for row in shown["heads"]] == [(b, h) for b in (0, 1) for h in (0, 1, 2)]
    assert [row["beta"] for row in shown["heads"]] == [0.5] * 5 + [0.125]
    assert [row["gamma"] for row in shown["norms"]] == [1.0, 2.0]
    assert [row["count"] for row in shown["memories"]] == [7, 7]


def test_a_folder_without_a_model_gets_one_line(tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        describe(tmp_path)
