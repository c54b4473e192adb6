"""A model as a folder: ``config.json`` and ``model.safetensors``, never a pickle."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from attractor.errors import InputError
from attractor.files import json_text, read_json, replacing, replacing_together
from attractor.models.config import PRESETS, Config, GraphETConfig, ImageETConfig, NodeETConfig, SelyneConfig
from attractor.models.graph_et import GraphET
from attractor.models.hub import located
from attractor.models.image_et import ImageET
from attractor.models.node_et import NodeET
from attractor.models.selyne import Selyne

VERSION = 1
Model = Selyne | ImageET | NodeET | GraphET
MODELS: dict[str, tuple[type[Config], Any]] = {
    "selyne": (SelyneConfig, Selyne),
    "image-et": (ImageETConfig, ImageET),
    "node-et": (NodeETConfig, NodeET),
    "graph-et": (GraphETConfig, GraphET),
}
LAYERS = ("depth", "decoder_depth", "blocks", "relations")  # settings that count parts, each with arrays of its own


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write safetensors atomically; shared storage is copied apart."""
    with replacing(path) as temporary:
        write_tensors(temporary, tensors)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """The same, into a file that is not there for others yet."""
    save_file({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}, path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors; a missing, truncated or foreign file raises :class:`InputError` naming it."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; is {path.parent} a folder that attractor wrote?") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); write it again") from None


def save_model(
    model: Model, folder: str | PathLike[str], dtype: torch.dtype | None = None, more: dict[str, Any] | None = None
) -> None:
    """Write ``folder/config.json`` and ``folder/model.safetensors``, in ``dtype`` when given (float16 halves it).

    ``more`` is what else ``config.json`` shall say.
    """
    folder = Path(folder).expanduser()
    known = {network: name for name, (_, network) in MODELS.items()}
    if (kind := known.get(type(model))) is None:
        names = ", ".join(network.__name__ for network in known)
        raise InputError(f"a {type(model).__name__} cannot be saved as a model; give one of {names}")
    tensors = {name: t.to(dtype) if dtype else t for name, t in model.state_dict().items()}
    with replacing_together([folder / "model.safetensors", folder / "config.json"]) as (weights, config):
        write_tensors(weights, tensors)
        said = {"version": VERSION, "kind": kind, "model": model.config.to_dict(), **(more or {})}
        config.write_text(json_text(said), encoding="utf-8")


def load_model(folder: str | PathLike[str]) -> Any:
    """Read what :func:`save_model` wrote, any of the four networks, in float32 and evaluation mode."""
    folder = Path(folder).expanduser()
    config, weights = _load_config(folder / "config.json"), folder / "model.safetensors"
    tensors = load_tensors(weights)
    with torch.random.fork_rng(devices=[]):  # the first weights are written over: whoever loads draws nothing
        model = build(config, tensors, str(weights))
    load_weights(model, tensors, str(weights))
    if broken := [name for name, t in tensors.items() if not t.isfinite().all()]:
        raise InputError(
            f"{weights}: {broken[0]} holds numbers that are not finite; the training that made it diverged"
        )
    return model.eval()


def build(config: Config, tensors: dict[str, Tensor], source: str, prefix: str = "") -> Any:
    """A model of these sizes, once the tensors are known to have them: a foreign config must not fill the memory."""
    network = next(network for sizes, network in MODELS.values() if type(config) is sizes)
    for name in LAYERS:  # each takes time and room, even without numbers in it
        if (getattr(config, name, None) or 0) > len(tensors):
            raise InputError(f"{source} does not fit this model: {len(tensors)} arrays are fewer than its {name}")
    with torch.device("meta"):
        expected = {prefix + name: t.shape for name, t in network(config).state_dict().items()}
    for name, shape in expected.items():
        if name not in tensors:
            raise InputError(f"{source} does not fit this model: {name} is missing")
        if tensors[name].shape != shape:
            found = tuple(tensors[name].shape)
            raise InputError(f"{source} does not fit this model: {name} has shape {found}, not {tuple(shape)}")
    return network(config)


def _load_config(path: Path) -> Config:
    values = read_json(path)
    sizes = values.get("model") if isinstance(values, dict) and values.get("version") == VERSION else None
    if not isinstance(sizes, dict):
        if isinstance(values, dict) and isinstance(task := values.get("task"), str):
            raise InputError(f"{path} is of a fitted {task:.40}, no model; name the one it was made from")
        raise InputError(f"{path} is not a model of format version {VERSION}; save it with this release")
    kind = values.get("kind", "selyne")
    if str(kind) not in MODELS:
        raise InputError(f"{path}: kind must be one of {', '.join(MODELS)}, not {kind!r}")
    try:
        return MODELS[kind][0].from_dict(sizes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def fingerprint(tensors: Iterable[Tensor]) -> str:
    """A digest of tensors' contents, whatever device they are on and in whatever order they come."""
    contents = (t.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data for t in tensors)
    digests = sorted(blake2b(content).hexdigest() for content in contents)
    return blake2b("".join(digests).encode(), digest_size=16).hexdigest()


def load_weights(module: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Load a state dict whole; missing, unknown or wrong-shaped names raise :class:`InputError` listing them."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        problems = " ".join(" ".join(str(error).split()).split(" ")[5:])
        raise InputError(f"{source} does not fit this model: {problems[:400]}") from None


def pretrained(name: str, kind: str = "selyne") -> Any:
    """A pretrained model of ``kind``, by preset name (weights that ship), by folder or by name on the Hub."""
    model = load_model(model_folder(name))
    if not isinstance(model, MODELS[kind][1]):
        raise InputError(f"{name!r} is a {type(model).__name__}, not a {MODELS[kind][1].__name__}; give one of those")
    return model


def model_folder(name: str) -> Path:
    """Where a model lies: of a preset name the weights that ship, else its folder, here or fetched from the Hub."""
    weights = Path(str(files("attractor"))) / "weights"
    ship = [preset for preset in PRESETS if (weights / preset / "config.json").exists()]
    if name in ship:
        return weights / name
    if name in PRESETS:
        raise InputError(f"no weights of {name} ship with this release; give a folder that a training run wrote")
    folder = located(name)
    if not folder.is_dir():
        known = ", ".join(ship)
        raise InputError(f"no pretrained model {name!r}: neither a folder, nor org/name, nor one that ships ({known})")
    return folder
