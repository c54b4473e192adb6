"""A published checkpoint becomes a model of ours: which network it is, and what its file does not say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attractor.errors import InputError
from attractor.interop import jax_et, selyne, torch_et
from attractor.interop.reading import read_tensors
from attractor.interop.sizes import Tensors
from attractor.models.config import Config
from attractor.models.store import Model, build, load_weights


@dataclass(frozen=True)
class Network:
    """A published network: how its names begin, the settings its file lacks, and how to read sizes and weights."""

    title: str
    names: tuple[str, ...]
    settings: tuple[str, ...]
    read: Callable[..., tuple[Config, Tensors]]


NETWORKS = (
    Network("JAX image ET", jax_et.NAMES, ("image_size", "steps", "step_size", "beta"), jax_et.read),
    Network("PyTorch image ET", torch_et.NAMES, ("image_size", "steps", "step_size", "beta"), torch_et.read),
    Network("SELYNE", selyne.NAMES, ("image_size", "heads"), selyne.read),
)


def convert(path: str | Path, **settings: Any) -> Model:
    r"""Read a published checkpoint as the model it is, :class:`ImageET` or :class:`Selyne`, in evaluation mode.

    ``path`` is the JAX ``.npz`` of the ImageNet Energy Transformer, the PyTorch ``.pth`` of the CIFAR one, the SELYNE
    ``.pt``, or a ``.safetensors`` with the names of any of them. No code in it is run, whatever it holds.

    ``settings`` are what the files do not say. ``image_size`` (height, width) in pixels: square unless given. For
    Energy Transformers ``steps``, ``step_size`` and ``beta`` (``1/sqrt(head_dim)`` unless given): 12 steps of 0.1 for
    JAX; for PyTorch they must be given, for its published models differ. ``heads`` for a SELYNE with standard
    attention. The published quirks are kept: a token attends to itself, and the read-out of
    :class:`~attractor.models.ImageETConfig`. The files do not say either how pixels were normalised: our models'
    ``normalize`` takes ImageNet's mean and deviation, which is how SELYNE was trained.

    Raises :class:`InputError` on a file that is none of these, damaged, hostile or not finite, on names missing or
    unknown, wrong shapes, and settings missing or foreign. Source: Hoover et al. 2023 and their published codes;
    SELYNE (Suleymanoglu 2026).
    """
    tensors = read_tensors(Path(path))
    network = _recognise(path, tensors)
    given = {name: value for name, value in settings.items() if value is not None}
    if foreign := sorted(given.keys() - set(network.settings)):
        known = ", ".join(network.settings)
        raise InputError(f"{path} is a {network.title}, which takes {known}; leave out {', '.join(foreign)}")
    config, weights = network.read(str(path), tensors, **given)
    model: Model = build(config, weights, str(path))
    load_weights(model, weights, str(path))
    return model.eval()


def _recognise(path: str | Path, tensors: Tensors) -> Network:
    for network in NETWORKS:
        if any(name.startswith(network.names) for name in tensors):
            return network
    titles = ", ".join(network.title for network in NETWORKS)
    some = ", ".join(sorted(tensors)[:5])
    raise InputError(f"{path} is no checkpoint that attractor knows ({titles}); it holds {some or 'nothing'}")
