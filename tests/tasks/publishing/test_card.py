"""Cards: nothing a name or a value holds breaks them, and every kind of thing has one."""

import pytest
import torch
import yaml

from attractor.models import NodeET, NodeETConfig, Selyne, SelyneConfig
from attractor.models.store import MODELS, save_model
from attractor.tasks.inspection import facts
from attractor.tasks.pretrained import TASKS
from attractor.tasks.publishing import ABOUT, model_card
from attractor.tasks.publishing.card import front_matter, section, table


def test_every_task_and_model_has_texts_and_is_inspected():
    assert set(ABOUT) == set(TASKS) | {network.__name__ for _, network in MODELS.values()}
    assert set(TASKS.values()) == set(facts.registry) - {object}


@pytest.mark.parametrize("kind", ABOUT)
def test_its_texts_are_whole(kind):
    about = ABOUT[kind]
    values = yaml.safe_load(front_matter(about).strip("-\n"))
    assert values["library_name"] == "attractor" and values["tags"]
    code = about.code.format(name="someone/it")
    compile(code, kind, "exec")
    assert '"someone/it"' in code


def test_a_value_stays_in_its_cell():
    assert table(["a|b"], [["one\ntwo"], ["x|y"]]) == "| a\\|b |\n| --- |\n| one two |\n| x\\|y |"


def test_values_are_said_plainly():
    values = {"n": 12345, "rate": 0.125, "on": True, "none": None, "size": (8, 4), "of": {"a": 1.0}, "word": "x"}
    rows = section("Sizes", values).splitlines()[4:]
    assert rows == [
        "| n | 12,345 |",
        "| rate | 0.125 |",
        "| on | yes |",
        "| none | default |",
        "| size | 8, 4 |",
        "| of.a | 1 |",
        "| word | x |",
    ]


def test_a_card_counts_what_the_file_holds(tmp_path):
    model = Selyne(SelyneConfig(dim=12, latent=6, heads=3, depth=1, prototypes=2, classes=4))
    save_model(model, tmp_path, torch.float16)
    card = model_card(tmp_path, "mine", more=["## More\n\nof it"])
    tensors = model.state_dict().values()
    assert f"{len(tensors)} tensors, {sum(t.numel() for t in tensors):,} numbers as float16" in card
    assert "| patch_sizes | 8 |" in card and "## More\n\nof it\n\n## Limits" in card
    assert "\n\n\n" not in card and card.endswith("\n")


def test_a_model_of_nodes_has_a_card_too(tmp_path):
    save_model(NodeET(NodeETConfig(features=2, dim=4, heads=1, head_dim=4, memories=3)), tmp_path)
    assert "| memories | 3 |" in model_card(tmp_path, "mine")
