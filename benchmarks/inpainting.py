"""In-painting on the validation images of Tiny ImageNet, as JSON under results/.

    python benchmarks/inpainting.py tiny-imagenet --model DIR

DATA is a folder or an archive that holds the split; ours on all of its images, the others on the first 1,000.
"""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path

from attractor.data.unlabelled import load_unlabelled
from attractor.files import read_json, write_json
from attractor.provenance import provenance
from attractor.tasks import Inpainter
from attractor.tasks.inpainting.evaluation import evaluate_inpainting
from attractor.training.runs import RESULT

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Parse, measure once, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="et-tiny")
    parser.add_argument("--split", default="val")
    parser.add_argument("--images", type=int)
    parser.add_argument("--baseline-images", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "inpaint-tiny-imagenet.json")
    arguments = parser.parse_args()
    inpainter = Inpainter(arguments.model)
    config = inpainter.ready().config
    images, unreadable = load_unlabelled(
        arguments.data, arguments.split, config.image_size, config.channels, arguments.images
    )
    found = evaluate_inpainting(inpainter, images, baseline_images=arguments.baseline_images, seed=arguments.seed)
    given = {name: getattr(arguments, name) for name in ("split", "images", "baseline_images", "seed")}
    options = [f"--{name.replace('_', '-')} {value}" for name, value in given.items() if value is not None]
    training = Path(arguments.model) / RESULT
    result = {
        "name": "inpaint-tiny-imagenet",
        "protocol": inspect.cleandoc(str(evaluate_inpainting.__doc__)),
        "command": " ".join(["python benchmarks/inpainting.py DATA", *options]),
        **found,
        "unreadable": len(unreadable),
        "model": config.to_dict(),
        "parameters": sum(p.numel() for p in inpainter.ready().parameters()),
        "training": read_json(training) if training.exists() else None,
        **provenance(),
    }
    print(write_json(arguments.output, result))


if __name__ == "__main__":
    main()
