"""How many images of a one-class set have a near copy among those to train on, as results/near-copies.json.

    python benchmarks/near_copies.py --data DIR [--set brain-mri]

Near copies are images whose 32 x 32 grey pixels correlate by more than 0.95, as they are or one of them mirrored left
to right. A detector can tell such an image for normal by its copy alone. Nothing is chosen by these figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from attractor.data.batches import load_batches
from attractor.data.sets.one_class import one_class_splits
from attractor.data.sources import ImageSource, as_source
from attractor.files import write_json
from attractor.provenance import provenance
from attractor.tasks.detection.baseline import SIDE

NEAR = 0.95
RESULT = Path(__file__).parents[1] / "results" / "near-copies.json"


def pixels(source: ImageSource) -> Tensor:
    """Grey pixels ``(N, SIDE, SIDE)``."""
    return torch.cat([batch for _, batch in load_batches(as_source(source, 1), (SIDE, SIDE), [])]).squeeze(1)


def share(images: Tensor, normal: Tensor, mirrored: bool) -> float:
    """Of the images how many have a near copy among the normal ones, which is not themselves."""
    best = _correlations(images, normal)
    if mirrored:
        best = torch.maximum(best, _correlations(images, normal.flip(-1)))
    if images is normal:
        best.fill_diagonal_(0)
    return (best.amax(dim=1) > NEAR).float().mean().item()


def _correlations(images: Tensor, others: Tensor) -> Tensor:
    a, b = (t.flatten(1).float() for t in (images, others))
    a, b = (F.normalize(t - t.mean(dim=1, keepdim=True), dim=1) for t in (a, b))
    return a @ b.T


def main() -> None:
    """Parse, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="brain-mri")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    [split] = one_class_splits(arguments.set, arguments.data)
    train, test = pixels(split.train), pixels(split.test.source)
    odd = torch.as_tensor(split.test.labels).bool()
    groups = {"normal, to train on": train, "normal, to test": test[~odd], "anomalous, to test": test[odd]}
    rows = {
        name: {"images": len(images), "as_is": share(images, train, False), "mirrored": share(images, train, True)}
        for name, images in groups.items()
    }
    command = f"python benchmarks/near_copies.py --data DIR --set {arguments.set}"
    known = {"name": arguments.set, "command": command, "near": NEAR, "rows": rows}
    write_json(arguments.output, {**known, **provenance()})
    print(rows)


if __name__ == "__main__":
    main()
