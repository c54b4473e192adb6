"""Recipes by path or by the name of one that ships, with another seed; anything wrong is one line."""

from pathlib import Path

import pytest

from attractor.errors import InputError
from attractor.training.inpainting import InpaintRecipe
from attractor.training.pretrain import PretrainRecipe
from attractor.training.recipe import TRAINING, read_recipe, shipped

TEXT = "name: mine\ndata: d\nepochs: 1\nseed: 5\n"


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
        (b"", "recipe: "),
        (b"- 1", "recipe: "),
        (b"name: [", "is not YAML"),
        (b"name: 2024-13-45", "is not YAML"),
        (b"[" * 5000, "is not YAML"),
        (b"\x00", "is not YAML"),
        (b"\xff\xfe\xff", "give a YAML recipe"),
        (TEXT.encode() + b"colour: red", "colour: "),
        (TEXT.replace("epochs: 1", "epochs: 0").encode(), "epochs: "),
        (TEXT.replace("epochs: 1", "lr: .nan").encode(), "lr: "),
    ],
)
def test_whatever_is_wrong_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_recipe(path, PretrainRecipe)
    message = str(caught.value)
    assert str(path) in message and said in message and "\n" not in message


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory; give a YAML recipe"):
        read_recipe(tmp_path, PretrainRecipe)
