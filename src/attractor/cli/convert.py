"""``attractor convert``: a published checkpoint into a folder of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from attractor.console import stderr

UNSAID = ("image_size", "steps", "step_size", "beta")  # what a file does not say and has a default


def convert(
    checkpoint: Path = typer.Argument(
        help="ImageNet ET .npz (JAX), CIFAR ET .pth (PyTorch), SELYNE .pt, or .safetensors of the same names.",
        show_default=False,
    ),
    output: Path = typer.Option(..., "--output", "-o", help="Folder to write the model to.", show_default=False),
    image_size: tuple[int, int] | None = typer.Option(
        None, help="Height and width the model was trained at, if not square.", show_default=False
    ),
    steps: int | None = typer.Option(None, help="ET: steps of the descent (JAX: 12).", show_default=False),
    step_size: float | None = typer.Option(None, help="ET: their size, alpha (JAX: 0.1).", show_default=False),
    beta: float | None = typer.Option(
        None, help="ET: inverse temperature of attention (1/sqrt(head width)).", show_default=False
    ),
    heads: int | None = typer.Option(None, help="SELYNE with standard attention: its heads.", show_default=False),
) -> None:
    """Convert a published checkpoint into OUTPUT, which every command takes as a model; no code in it is run."""
    from attractor import interop
    from attractor.models.store import save_model
    from attractor.training.runs import require_free

    require_free(output)
    given: dict[str, Any] = {
        "image_size": image_size,
        "steps": steps,
        "step_size": step_size,
        "beta": beta,
        "heads": heads,
    }
    model = interop.convert(checkpoint, **given)
    save_model(model, output)
    config = model.config.to_dict()
    assumed = [f"{name} {config[name] or '1/sqrt(head_dim)'}" for name in UNSAID if name in config and not given[name]]
    if assumed:
        stderr.print(f"assumed, for the file does not say: {', '.join(assumed)}")
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(f"{output}: {type(model).__name__}, {weights:,} parameters")
