"""Put a trained model among the weights that ship, in half precision: ``python benchmarks/ship.py RUN selyne-tiny``.

With ``--data``, a folder that holds Tiny ImageNet, an encoder gets its background anew, by the weights as they ship.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from attractor.data.sets.labelled_sets import labelled_set
from attractor.models.store import load_model, save_model
from attractor.training.background import write_background

WEIGHTS = Path(__file__).parents[1] / "src" / "attractor" / "weights"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    model, folder = load_model(arguments.run), WEIGHTS / arguments.name
    save_model(model, folder, torch.float16)
    if arguments.data:
        write_background(folder, labelled_set("tiny-imagenet", arguments.data, "train").images)
    print(folder)
