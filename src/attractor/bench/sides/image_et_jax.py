"""The published JAX Energy Transformer for images: its layer norm, energy and descent on tokens; no encoder.

``clone`` is one of github.com/bhoov/energy-transformer-jax; the interpreter needs ``pip install jax equinox optax``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

SCALE = 0.002  # of its weights, which it draws with variance one, only to load trained ones over them


def build(spec: dict[str, Any]) -> tuple[Any, Any]:
    """Its layer norm and its energy at the sizes of the case."""
    sys.path.insert(0, spec["clone"])
    import architecture

    multiplier = (spec["memories"] + 0.5) / spec["dim"]  # it rounds down, and the bare quotient may lie just below
    config = architecture.ETConfig(spec["dim"], spec["head_dim"], spec["heads"], multiplier)
    energy = architecture.EnergyTransformer(jax.random.PRNGKey(spec["seed"]), config)
    return architecture.EnergyLayerNorm(spec["dim"]), jax.tree.map(lambda weight: SCALE * weight, energy)


def descend(norm: Any, energy: Any, x: Any, steps: int, step_size: float) -> Any:
    """The tokens of one image after ``steps``, in a loop that is unrolled, as it does between encoder and decoder."""
    gradient = jax.value_and_grad(energy.energy)
    for _ in range(steps):
        x = x - step_size * gradient(norm(x))[1]
    return x


def passes(spec: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """The descent of a batch of tokens alone, and a step of AdamW on the mean square of where they end."""
    if spec["precision"] != "float32":
        raise ValueError(f"precision {spec['precision']}: the published code runs in float32")
    weights, rest = eqx.partition(build(spec), eqx.is_inexact_array)
    optimizer = optax.adamw(1e-3)
    state = [weights, optimizer.init(weights)]
    generator = np.random.default_rng(spec["seed"])
    tokens = {
        name: jnp.asarray(generator.standard_normal((batch, spec["tokens"], spec["dim"]), dtype=np.float32))
        for name, batch in spec["batch"].items()
    }

    def walk(weights: Any, x: Any) -> Any:
        norm, energy = eqx.combine(weights, rest)
        return jax.vmap(lambda x: descend(norm, energy, x, spec["steps"], spec["step_size"]))(x)

    @eqx.filter_jit
    def step(weights: Any, moments: Any, x: Any) -> Any:
        loss, gradient = jax.value_and_grad(lambda weights: jnp.square(walk(weights, x)).mean())(weights)
        updates, moments = optimizer.update(gradient, moments, weights)
        return optax.apply_updates(weights, updates), moments, loss

    def train() -> float:
        *state[:], loss = jax.block_until_ready(step(*state, tokens["train"]))
        return float(loss)

    compiled = eqx.filter_jit(walk)
    made = {"forward": lambda: compiled(weights, tokens["forward"]).block_until_ready(), "train": train}
    return {name: made[name] for name in tokens}


def versions() -> dict[str, str]:
    """What runs it."""
    return {"jax": jax.__version__, "equinox": eqx.__version__, "device": jax.devices()[0].platform}
