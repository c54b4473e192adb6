"""A model as a folder: ``config.json`` and ``model.safetensors``, never a pickle."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from attractor.errors import InputError
from attractor.files import read_json, replacing, write_json
from attractor.models.config import PRESETS, SelyneConfig
from attractor.models.selyne import Selyne

VERSION = 1


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write safetensors atomically; shared storage is copied apart."""
    with replacing(path) as temporary:
        save_file({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}, temporary)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors; a missing, truncated or foreign file raises :class:`InputError` naming it."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; is {path.parent} a folder that attractor wrote?") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); write it again") from None


def save_model(model: Selyne, folder: Path, dtype: torch.dtype | None = None) -> None:
    """Write ``folder/config.json`` and ``folder/model.safetensors``, in ``dtype`` when given (float16 halves it)."""
    tensors = {name: t.to(dtype) if dtype else t for name, t in model.state_dict().items()}
    save_tensors(folder / "model.safetensors", tensors)
    write_json(folder / "config.json", {"version": VERSION, "model": model.config.to_dict()})


def load_model(folder: Path) -> Selyne:
    """Read what :func:`save_model` wrote, in float32 and evaluation mode."""
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or config.get("version") != VERSION or not isinstance(config.get("model"), dict):
        raise InputError(f"{folder / 'config.json'} is not a model of format version {VERSION}; save it with this release")
    model = Selyne(SelyneConfig.from_dict(config["model"]))
    load_weights(model, load_tensors(folder / "model.safetensors"), str(folder / "model.safetensors"))
    return model.eval()


def load_weights(model: Selyne, tensors: dict[str, Tensor], source: str) -> None:
    """Load a state dict whole; missing, unknown or wrong-shaped names raise :class:`InputError` listing them."""
    own = model.state_dict()
    problems = [f"missing {n}" for n in own if n not in tensors]
    problems += [f"unknown {n}" for n in tensors if n not in own]
    problems += [
        f"{n} has shape {tuple(tensors[n].shape)}, not {tuple(own[n].shape)}"
        for n in own
        if n in tensors and tensors[n].shape != own[n].shape
    ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise InputError(f"{source} does not fit this model: {'; '.join(problems[:5])}{more}")
    model.load_state_dict({name: t.float() for name, t in tensors.items()})


def pretrained(name: str) -> Selyne:
    """A pretrained model by preset name (weights that ship with the package) or by folder."""
    shipped = Path(str(files("attractor"))) / "weights" / name
    if name in PRESETS and (shipped / "config.json").exists():
        return load_model(shipped)
    if name in PRESETS:
        raise InputError(f"no weights of {name} ship with this release; give a folder that `attractor pretrain` wrote")
    if not Path(name).expanduser().is_dir():
        raise InputError(f"no pretrained model {name!r}: neither a shipped name ({', '.join(PRESETS)}) nor a folder")
    return load_model(Path(name).expanduser())
