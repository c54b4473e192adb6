"""Write the model cards of the weights that ship, from results/*.json: ``python benchmarks/cards.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import inpainting_tables
from detection_tables import STAGES

from attractor.files import read_json, write_text
from attractor.tasks.publishing import ABOUT, About, model_card, training

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "src" / "attractor" / "weights"
TERMS = (
    "The weights are given under Apache-2.0, as far as they are ours to give. Tiny ImageNet, on whose images they were "
    "trained, comes with ImageNet's terms: non-commercial research."
)
RUNS = (
    "Hours and figures are those of each run as a whole; the git revision is that of its end, for runs that were "
    "interrupted and resumed may have begun with earlier code. The next run starts from the weights of the one before."
)


@dataclass(frozen=True)
class Shipped:
    """A model that ships: its texts, its stages by recipe with the file of each one's result, and how it was measured.

    A stage without a file is left out: it has not been run.
    """

    about: About
    stages: dict[str, str]
    measured: Callable[[Path], str] | None = None


def _about(kind: str, **texts: Any) -> About:
    return replace(ABOUT[kind], license="apache-2.0", terms=TERMS, **texts)


SHIPPED = {
    "selyne-tiny": Shipped(
        _about(
            "Selyne",
            summary="The whole SELYNE network, small: encoder, prototypes, latent head, decoder and classifier, "
            "pretrained on Tiny ImageNet to repaint an image, to name its class and to draw it to the prototype of "
            "that class. The file holds half precision; it is loaded in single precision. "
            "Beside it, `background.safetensors` sums up how it sees 10,000 of its training images, sharp and coarse: "
            "Gaussians and 2,000 latents of each, against which a detector measures distances.",
            intended="Intended use: features for anomaly detection in natural, medical and texture images, and a start "
            "for training on images of your own. Not meant for: naming classes as such, sharp reconstructions, "
            "decisions about people, or diagnosis.",
            limits="Images are seen at the size above, in patches of the size above: what is smaller than a patch by "
            "much is missed unless images are looked at in tiles. Tiny ImageNet's biases are its own. A detector's "
            "decisions are those of its calibration, not of this network.",
        ),
        {recipe: f"pretrain-{recipe}" for recipe in STAGES},
    ),
    "et-tiny": Shipped(
        _about(
            "ImageET",
            summary="The whole in-painting Energy Transformer, small: encoder, one energy of attention and memory, "
            "decoder, trained on Tiny ImageNet to foretell hidden patches: half of the images with random patches "
            "hidden, half with one rectangle. The file holds half precision; it is loaded in single precision.",
            intended="Intended use: watching a descent, filling in broad shape and colour, a start for training on "
            "images of your own. Not meant for: detail, faces, restoration, or evidence of what was there.",
            limits="Images are seen at the size above, in patches of the size above, and the descent is made for the "
            "steps above. The weights are the last ones: no epoch was chosen. Tiny ImageNet's biases are its own.",
        ),
        {"et-tiny-coarse": "train-et-tiny-coarse", "et-tiny": "train-et-tiny"},
        inpainting_tables.painting,
    ),
}


def card(name: str, results: Path) -> str:
    """The card of that model, of what it was trained on, by what, and how well it does."""
    model = SHIPPED[name]
    files = {recipe: results / f"{file}.json" for recipe, file in model.stages.items()}
    runs = {recipe: read_json(file) for recipe, file in files.items() if file.exists()}
    more = [f"## Training\n\n{training(runs)}\n\n{RUNS}"]
    if model.measured:
        more.append(f"## Evaluation\n\n{model.measured(results)}")
    return model_card(WEIGHTS / name, name, model.about, more)


if __name__ == "__main__":
    for name in SHIPPED:
        write_text(WEIGHTS / name / "README.md", card(name, ROOT / "results"))
