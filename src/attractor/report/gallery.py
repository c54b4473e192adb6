"""The pictures a reader wants to see first: the most anomalous images, and those the detector got wrong."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import PurePath

import numpy as np
from PIL import Image

from attractor.report.pictures import heat_limits, overlay
from attractor.tasks.detection.evaluation import Evaluation, Example


def galleries(evaluation: Evaluation) -> str:
    """Return the HTML of the three galleries; a gallery without a picture is left out."""
    showing, flagged, anomalous = evaluation.showing, evaluation.flagged, evaluation.labels == 1
    missed, alarms = int((~flagged & anomalous).sum()), int((flagged & ~anomalous).sum())
    return "\n".join(
        (
            _gallery(evaluation, "Most anomalous images", "highest scores first", showing.highest),
            _gallery(evaluation, "Missed anomalies", f"{missed} in all, lowest scores first", showing.missed),
            _gallery(evaluation, "False alarms", f"{alarms} in all, highest scores first", showing.alarms),
        )
    )


def data_uri(content: bytes, kind: str) -> str:
    """Return the bytes of an image as an address that a page carries in itself."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _gallery(evaluation: Evaluation, title: str, order: str, places: Iterable[int]) -> str:
    cards = "\n".join(_card(evaluation, example) for example in evaluation.pictures(places))
    if not cards:
        return ""
    head = f"<h2>{title} <small>{order}</small></h2>"
    return f'<section>\n{head}\n<div class="gallery">\n{cards}\n</div>\n</section>'


def _card(evaluation: Evaluation, example: Example) -> str:
    images = [("image", example.original)]
    if example.heat is not None:
        images.append(("heat", overlay(example.original, np.asarray(example.heat), heat_limits(evaluation))))
    pictures = "".join(f'<img alt="{alt}" src="{_thumbnail(image)}">' for alt, image in images)
    kind = ("normal", "anomalous")[example.label]
    name = "/".join(PurePath(example.path).parts[-2:])
    return (
        f'<figure class="card"><div>{pictures}</div>'
        f'<figcaption><code title="{escape(example.path)}">{escape(name)}</code>'
        f'<b class="{kind}">{kind}</b> · score&nbsp;{example.score:.4g} · p&nbsp;{example.p_value:.2g}'
        "</figcaption></figure>"
    )


def _thumbnail(image: np.ndarray, size: int = 320) -> str:
    picture, buffer = Image.fromarray(image), io.BytesIO()
    picture.thumbnail((size, size))
    picture.save(buffer, "JPEG", quality=88)
    return data_uri(buffer.getvalue(), "jpeg")
