"""What a model card says of each kind of thing, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from attractor.errors import InputError

TERMS = "None was declared. Whoever published this: name one, here and as `license:` in the first lines of this file."
LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,99}")
CALIBRATED = (
    "What it calls normal is what it was fitted on; decisions keep their false-alarm rate only on {things} that come "
    "from where those of its calibration came from. Fit it anew when that changes."
)


@dataclass(frozen=True)
class About:
    """Texts of a card: what it is, Python that uses it (``{name}`` stands for its name), what it is not for.

    ``pipeline`` and ``tags`` are the Hub's; ``license`` is an identifier the Hub knows, None where none was declared,
    and ``terms`` the words to it.
    """

    summary: str
    code: str
    limits: str
    tags: tuple[str, ...]
    pipeline: str | None = None
    intended: str = ""
    license: str | None = None
    terms: str = TERMS

    def under(self, license: str) -> About:
        """The same with a licence, by its SPDX identifier; what is none raises :class:`InputError`."""
        if not LICENSE.fullmatch(license):
            raise InputError(f"{license!r} is no identifier of a licence; give one as SPDX lists them, such as MIT")
        return replace(self, license=license.lower(), terms=f"{license}.")  # the Hub's are in lower case


def _loaded(variable: str, use: str) -> str:
    return f'import attractor\n\n{variable} = attractor.from_pretrained("{{name}}")\n{use}'


_MODEL = _loaded("model", "print(model.config)")
_UNFITTED = "A network without a task: it decides nothing before a detector or classifier is fitted with it."

ABOUT = {
    "AnomalyDetector": About(
        "Finds the odd images, having seen only normal ones: a SELYNE encoder, scores fitted on its features, and "
        "decisions at a calibrated false-alarm rate.",
        _loaded("detector", 'scores = detector.decision_function("FOLDER")  # raw, higher is more anomalous'),
        CALIBRATED.format(things="images"),
        ("anomaly-detection", "selyne"),
    ),
    "NodeAnomalyDetector": About(
        "Finds the odd nodes of a graph: Energy Transformers on its edges.",
        _loaded("detector", "scores = detector.decision_function(graph)  # higher is more anomalous"),
        CALIBRATED.format(things="nodes"),
        ("anomaly-detection", "energy-transformer", "graphs"),
        "graph-ml",
    ),
    "GraphAnomalyDetector": About(
        "Finds the odd graphs, having seen only normal ones: Energy Transformers and their latents.",
        _loaded("detector", "scores = detector.decision_function(graphs)  # higher is more anomalous"),
        CALIBRATED.format(things="graphs"),
        ("anomaly-detection", "energy-transformer", "graphs"),
        "graph-ml",
    ),
    "GraphClassifier": About(
        "Tells the class of whole graphs: Energy Transformers on their edges.",
        _loaded("classifier", "classes = classifier.predict(graphs)"),
        "It knows the classes it was fitted on and no others, and its probabilities are not calibrated.",
        ("graph-classification", "energy-transformer", "graphs"),
        "graph-ml",
    ),
    "Inpainter": About(
        "Fills in what is hidden of an image, by the descent of an Energy Transformer.",
        _loaded("inpainter", "filled = inpainter.transform(images, mask)  # hidden pixels are True in the mask"),
        "What it paints is a likely filling, not what was there.",
        ("inpainting", "energy-transformer"),
        "image-to-image",
    ),
    "Selyne": About(
        "A SELYNE network: encoder of Gloeba attention, prototypes, latent head, decoder and classifier.",
        'from attractor import AnomalyDetector\n\ndetector = AnomalyDetector("{name}").fit("NORMAL_IMAGES")\n'
        'scores = detector.decision_function("IMAGES")  # higher is more anomalous',
        _UNFITTED,
        ("anomaly-detection", "selyne"),
        "image-feature-extraction",
    ),
    "ImageET": About(
        "An Energy Transformer for images: tokens that descend one energy of attention and memory.",
        'from attractor import Inpainter\n\ninpainter = Inpainter("{name}")\n'
        "filled = inpainter.transform(images, mask)  # hidden pixels are True in the mask",
        "What it paints is a likely filling, not what was there.",
        ("inpainting", "energy-transformer"),
        "image-to-image",
    ),
    "NodeET": About("An Energy Transformer for the nodes of graphs.", _MODEL, _UNFITTED, ("graphs",), "graph-ml"),
    "GraphET": About("An Energy Transformer for whole graphs.", _MODEL, _UNFITTED, ("graphs",), "graph-ml"),
}
