"""The network that a fit starts from: one that the caller holds, or one of a name."""

from __future__ import annotations

import copy
from typing import Any

from attractor.models import preset
from attractor.models.device import default_device
from attractor.models.store import MODELS
from attractor.models.store import pretrained as pretrained_model


def starting_model(model: Any, kind: str, pretrained: bool) -> Any:
    """A copy of ``model``, or by its name or folder the pretrained one, or else one of that name with random weights.

    It is where models run, in evaluation mode. Raises :class:`InputError` on a name of none, or of none of that kind.
    """
    sizes, network = MODELS[kind]
    if isinstance(model, network):
        found = copy.deepcopy(model)  # what the caller holds is not trained
    elif pretrained:
        found = pretrained_model(str(model), kind)
    else:
        found = network(preset(str(model), sizes))
    return found.to(default_device()).eval()
