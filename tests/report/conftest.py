"""A small evaluation with everything in it, which tests take away or spoil; and a small walk of two blocks."""

from __future__ import annotations

import numpy as np
import pytest
from walks import make_walk

from attractor.report.descent.pictures import Descent
from attractor.scoring.metrics import image_metrics
from attractor.tasks.detection.evaluation import Evaluation, Example


def make_example(place: int, label: int, score: float, path: str, size: tuple[int, int] = (24, 32)) -> Example:
    rng = np.random.default_rng(abs(int(score * 10)))
    original = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    mask = np.zeros(size, dtype=bool)
    mask[8:12, 8:12] = True
    heat = rng.random(size, dtype=np.float32) * score
    return Example(place, path, label, score, 0.5, original, original // 2, heat, mask if label else None)


def make_evaluation() -> Evaluation:
    rng = np.random.default_rng(0)
    labels = np.array([0] * 40 + [1] * 60)
    categories = ["good"] * 40 + ["crack"] * 30 + ["hole"] * 30
    chosen = rng.normal(5, 1, 100) + 3 * labels
    scores = {"mahalanobis": chosen, "reconstruction": rng.normal(0, 1, 100) + labels}
    threshold = float(np.sort(chosen[:40])[-3])  # two normal images lie above
    metrics = {name: image_metrics(labels, s, s > threshold, bootstrap=50) for name, s in scores.items()}
    paths = [f"test/{kind}/{i}.png" for i, kind in enumerate(categories)]
    return Evaluation(
        title="Tiles",
        paths=paths,
        labels=labels,
        categories=categories,
        scores=scores,
        method="mahalanobis",
        p_values=np.linspace(0.01, 1, 100),
        flagged=chosen > threshold,
        threshold=threshold,
        false_alarm_rate=0.01,
        rate_in_force=0.0147,
        metrics=metrics,
        pixel_metrics={"pixel_auroc": 0.8125, "aupro": 0.625},
        examples=[make_example(i, int(labels[i]), float(chosen[i]), paths[i]) for i in range(100)],
        heat_of="patches",
        heat_limits=(0.0, 9.0),
        detector="mahalanobis of whole images, tuning none",
        unreadable=[("test/good/broken.png", "it ends early")],
        notes=["a note"],
        provenance={"model": {"name": "selyne-tiny"}, "seed": 0},
    )


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    return make_evaluation()


@pytest.fixture
def history() -> list[dict[str, float]]:
    terms = {"reconstruction": 1.0, "classification": 2.0, "prototypes": 1.0}
    rows = []
    for epoch in range(1, 6):
        row = {"epoch": epoch, "lr": 1e-3 / epoch, "seconds": 1.0}
        for part in ("train", "val"):
            row |= {f"{part}_{term}": weight / epoch for term, weight in terms.items()}
            row |= {f"{part}_loss": 4.0 / epoch, f"{part}_accuracy": 0.1 * epoch}
        rows.append(row)
    return rows


@pytest.fixture(scope="session")
def descent() -> Descent:
    """The second image's descent through two blocks."""
    return Descent(make_walk(blocks=2), 1)
