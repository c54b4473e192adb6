"""Recipes by path or by the name of one that ships, with another seed; anything wrong is one line."""

from pathlib import Path

import pytest

from attractor.errors import InputError
from attractor.training.inpainting import InpaintRecipe
from attractor.training.pretrain import PretrainRecipe
from attractor.training.recipe import TRAINING, read_recipe, shipped

TEXT = "name: mine\ndata: d\nepochs: 9\nseed: 5\n"


def test_by_path_and_by_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_recipe(Path("selyne-tiny"), PretrainRecipe) == read_recipe(
        TRAINING / "selyne-tiny.yaml", PretrainRecipe
    )
    Path("selyne-tiny").write_text(TEXT)
    assert read_recipe(Path("selyne-tiny"), PretrainRecipe).name == "mine"  # the user's own comes first
    assert read_recipe(shipped("selyne-tiny"), PretrainRecipe).name == "selyne-tiny"  # but not where that is meant
    with pytest.raises(InputError, match="elsewhere/selyne-tiny: No such file"):
        read_recipe(Path("elsewhere/selyne-tiny"), PretrainRecipe)


def test_another_seed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(TEXT)
    first, other = (read_recipe(tmp_path / "r.yaml", InpaintRecipe, seed) for seed in (None, 0))
    assert (first.seed, other.seed) == (5, 0)
    assert {**first.model_dump(), "seed": 0} == other.model_dump()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "broken.yaml: must be keys with their values"),
        (b"- 1", "broken.yaml: must be keys with their values"),
        (b"name: [", "is not YAML"),
        (b"name: 2024-13-45", "is not YAML"),
        (b"[" * 5000, "is not YAML"),
        (b"\x00", "is not YAML"),
        (b"\xff\xfe\xff", "give a YAML recipe"),
        (TEXT.encode() + b"seed: 5", "seed is given twice, in lines 4 and 5; leave one out"),
        (TEXT.encode() + b"weights: {class: 1,\n  class: 1}", "class is given twice, in lines 5 and 6"),
        (TEXT.encode() + b"colour: red", "colour: no such key; choose among name, model, start, data, "),
        (b"data: d\nnaem: x", "naem: no such key; did you mean name?"),
        (TEXT.encode() + b"augmentation: {paddin: 1}", "augmentation.paddin: no such key; did you mean padding?"),
        (TEXT.encode() + b"augmentation: 1", "augmentation: must be keys with their values"),
        (b"data: d", "name: is missing"),
        (TEXT.encode() + b"model: 5", "model: must be a model's name or its settings, not 5"),
        (TEXT.encode() + b"model: {1: 2, dim: 3}", "model: must be a model's name or its settings"),
        (TEXT.encode() + b"model: {dim: 10, heads: 3}", "dim 10 is not a multiple of heads 3"),
        (TEXT.replace("seed: 5", "seed: -1").encode(), "seed: "),
        (TEXT.replace("seed: 5", "seed: 4294967296").encode(), "seed: "),
        (TEXT.encode() + b"warmup_epochs: 9", "warmup_epochs: must be less than epochs, 9, not 9"),
        (b"name: x\ndata: d\nepochs: 5", "warmup_epochs: must be less than epochs, 5, not 5, the default"),
        (
            TEXT.encode() + b"augmentation: {padding: 64}",
            "augmentation.padding: must be smaller than the images, 64 x 64",
        ),
        (TEXT.encode() + b"weights: {prototypes: -1}", "weights.prototypes: "),
        (TEXT.replace("epochs: 9", "epochs: 0").encode(), "epochs: "),
        (TEXT.replace("epochs: 9", "lr: .nan").encode(), "lr: "),
    ],
)
def test_whatever_is_wrong_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_recipe(path, PretrainRecipe)
    message = str(caught.value)
    assert str(path) in message and said in message and "\n" not in message and "Recipe" not in message


def test_the_last_value_that_can_be_is_taken() -> None:
    values = {"name": "x", "data": "d", "epochs": 6, "seed": 2**32 - 1, "augmentation": {"padding": 63}}
    assert PretrainRecipe.parse({**values, "warmup_epochs": 5.9, "weights": {"prototypes": 0}}, "r").seed == 2**32 - 1


@pytest.mark.parametrize(
    ("name", "kind", "other"),
    [
        ("et-tiny", PretrainRecipe, "attractor inpaint fit --recipe"),
        ("et-base", PretrainRecipe, "attractor inpaint fit --recipe"),
        ("et-cifar", PretrainRecipe, "attractor inpaint fit --recipe"),
        ("selyne-tiny", InpaintRecipe, "attractor pretrain"),
        ("selyne-base", InpaintRecipe, "attractor pretrain"),
    ],
)
def test_a_recipe_of_the_other_kind_says_so(name: str, kind: type, other: str) -> None:
    with pytest.raises(InputError, match=rf"{name}\.yaml is a recipe of `{other}`, not of `{kind.command}`$"):
        read_recipe(Path(name), kind)


def test_an_unknown_name_lists_those_of_its_kind() -> None:
    with pytest.raises(InputError) as caught:
        read_recipe(Path("selyne-tyni"), PretrainRecipe)
    said = str(caught.value)
    assert said.startswith("no recipe 'selyne-tyni': ") and "selyne-base, selyne-tiny, " in said and "et-" not in said


def test_a_folder_of_that_name_hides_no_recipe(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("selyne-tiny").mkdir()
    assert read_recipe(Path("selyne-tiny"), PretrainRecipe).name == "selyne-tiny"


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory; give a YAML recipe"):
        read_recipe(tmp_path, PretrainRecipe)
