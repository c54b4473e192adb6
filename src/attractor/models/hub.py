"""Models and detectors by their names on the Hugging Face Hub, ``org/name`` or ``org/name@revision``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from attractor.console import stderr
from attractor.errors import InputError, one_line

FILES = (
    "config.json",
    "calibration.json",
    "model.safetensors",
    "background.safetensors",
    "README.md",
)  # all that is ever fetched or published
NAME = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
LOG_IN = "log in (`hf auth login`, or a token in HF_TOKEN)"


def located(name: str | PathLike[str]) -> Path:
    """The folder of that name: one that is here, else, of a name ``org/name``, what the Hub has under it.

    What was fetched once is served from the cache when the Hub cannot be reached. Raises :class:`InputError` where the
    Hub has nothing of that name to give; any other name comes back as a path, whether or not there is something.
    """
    folder = Path(name).expanduser()
    wanted = NAME.fullmatch(name if isinstance(name, str) else Path(name).as_posix())
    return folder if folder.exists() or not wanted else _fetch(wanted["repository"], wanted["revision"])


def _fetch(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    name = f"{repository}@{revision}" if revision else repository
    with exchange(name, "read"):
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=list(FILES)))
    if not (folder / FILES[0]).exists():
        raise InputError(f"{name} on the Hub has no {FILES[0]}: attractor did not write it; choose another model")
    stderr.print(f"{name}: revision {folder.name} of the Hub")
    return folder


@contextmanager
def exchange(name: str, verb: str) -> Iterator[None]:
    """Talk to the Hub: whatever goes wrong is an :class:`InputError`; ``verb``: what is wanted, read or write."""
    try:
        with _bars_on_terminals_only():
            yield
    except InputError:
        raise
    except Exception as error:  # the Hub's client lets those of its HTTP library through, which is not always the same
        raise InputError(f"{name}: {_reason(error, verb)}") from error


@contextmanager
def _bars_on_terminals_only() -> Iterator[None]:
    from huggingface_hub import constants, utils

    chosen = constants.HF_HUB_DISABLE_PROGRESS_BARS is not None or utils.are_progress_bars_disabled()
    if chosen or stderr.is_terminal:
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()


def _reason(error: Exception, verb: str) -> str:
    from huggingface_hub import errors

    response = getattr(error, "response", None)
    if isinstance(error, errors.GatedRepoError):
        return f"its owners give it to those who ask; accept the terms on its page of the Hub and {LOG_IN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"neither a folder here nor something on the Hub that you may {verb}; check the name, or {LOG_IN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the Hub has it, but not this revision; give a branch, a tag or a commit"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "neither a folder here nor in the cache, and the Hub does not answer; check the name and the network"
    if response is not None and response.status_code in (401, 403):
        return f"the Hub does not let you {verb} it; {LOG_IN} as someone who may"
    return f"the exchange with the Hub failed ({one_line(error, 300)}); check the network and try again"
