"""A model or a fitted detector to the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attractor.errors import InputError
from attractor.files import read_json
from attractor.models.hub import FILES, NAME, exchange
from attractor.models.store import Model, model_folder, save_model
from attractor.provenance import provenance
from attractor.tasks.pretrained import TASKS, kind_of
from attractor.tasks.publishing.about import ABOUT
from attractor.tasks.publishing.card import model_card, section, training
from attractor.tasks.saving import refusing_foreign
from attractor.training.runs import RESULT

CARD = "README.md"


def push_to_hub(
    thing: Any,
    name: str,
    *,
    license: str | None = None,
    private: bool = False,
    token: str | None = None,
    message: str | None = None,
) -> str:
    """Publish a model, a fitted detector or the folder of one as ``org/name``, and return its address.

    Weights, settings and calibration go there in one commit, with a model card: the folder's ``README.md``, else one
    that is written from what the folder holds, under ``license`` (an SPDX identifier) or without a word of any. Nothing
    else in the folder is sent. ``token``: one that may write, else that of ``hf auth login`` or HF_TOKEN. Raises
    :class:`InputError` before anything is sent where something is broken.
    """
    wanted = NAME.fullmatch(name)
    if not wanted or wanted["revision"]:
        raise InputError(f"{name!r} is not a name to publish under; give org/name")
    with _folder(thing) as folder:
        card = _card(folder, name, license)
        with exchange(name, "write"):
            return _upload(folder, card, name, private, token, message or "Written by attractor")


@contextmanager
def _folder(thing: Any) -> Iterator[Path]:
    """Where it lies, or for as long as it takes a folder that it is saved to."""
    if isinstance(thing, (str, PathLike)):
        yield model_folder(str(thing))
        return
    with TemporaryDirectory() as temporary:
        if isinstance(thing, Model):
            save_model(thing, Path(temporary))
        elif type(thing).__name__ in TASKS:
            thing.save(temporary)
        else:
            raise InputError(f"a {type(thing).__name__} cannot be published; give a model, a detector or a folder")
        yield Path(temporary)


def _card(folder: Path, name: str, license: str | None) -> bytes:
    """The folder's own card as it is, or one written now; what cannot be loaded is refused either way."""
    about, own = ABOUT[kind_of(folder)], folder / CARD
    if license is not None:
        about = about.under(license)
    written = model_card(folder, name, about, [*_training(folder), section("Published with", _versions())])
    if license is not None and own.exists():
        raise InputError(f"{own} is the card that is published; name the licence in it and leave it out here")
    return own.read_bytes() if own.exists() else written.encode()


def _training(folder: Path) -> list[str]:
    """The run that the folder, or the run's folder that it is the ``best`` of, tells of."""
    result = (folder.parent if folder.name == "best" else folder) / RESULT
    if not result.exists():
        return []
    with refusing_foreign(result):
        found = read_json(result)
        return [f"## Training\n\n{training({found['name']: found})}"]


def _versions() -> dict[str, str]:
    made = provenance()
    known = {"attractor": made["versions"]["attractor"], "git revision": made["git_revision"]}
    return {key: value for key, value in known.items() if value} | {"torch": made["versions"]["torch"]}


def _upload(folder: Path, card: bytes, name: str, private: bool, token: str | None, message: str) -> str:
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token)
    address = api.create_repo(name, private=private, exist_ok=True)
    if private and not api.model_info(name).private:
        raise InputError(f"{name} is there already and public; choose another name, or publish for all to see")
    sent = [CommitOperationAdd(file, folder / file) for file in FILES if file != CARD and (folder / file).exists()]
    api.create_commit(name, [*sent, CommitOperationAdd(CARD, card)], commit_message=message)
    return str(address)
