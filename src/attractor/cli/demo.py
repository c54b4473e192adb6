"""``attractor demo``: odd textures found and a photograph filled in, both from pictures that come with scikit-image."""

from __future__ import annotations

from pathlib import Path

import typer

from attractor.console import stderr


def demo(
    output: Path = typer.Option(Path("demo"), "--output", "-o", help="Folder for pictures, detector and report."),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Seed of the pictures and the split."),
) -> None:
    """Find damaged gravel and fill in a photograph in two minutes: no network, no GPU, nothing to prepare."""
    from attractor.cli.detect import print_evaluation
    from attractor.data.layouts import labelled_folder
    from attractor.data.textures import write_photograph, write_textures
    from attractor.report import write_descent, write_report
    from attractor.tasks import AnomalyDetector, Inpainter, evaluate_images
    from attractor.tasks.detection.baseline import pixel_neighbours

    pictures = write_textures(output / "pictures", seed)
    parts = "fitted on one half of a photograph, calibrated on a quarter, tested on the rest"
    stderr.print(f"{pictures}: gravel, {parts}; the damage is painted on")
    detector = AnomalyDetector(tiles=True, seed=seed)
    detector.fit(pictures / "train" / "good", calibrate_on=pictures / "calibration")
    detector.save(output / "detector")
    labelled = labelled_folder(pictures)
    evaluation = evaluate_images(detector, labelled, f"Damaged gravel, judged by {output / 'detector'}")
    page = write_report(evaluation, output / "report")
    print_evaluation(evaluation)
    baseline = pixel_neighbours(pictures / "train" / "good", labelled)
    ours = evaluation.metrics[evaluation.method]["auroc"]
    print(f"AUROC: attractor {ours:.3f}, five nearest neighbours on 32 x 32 grey pixels {baseline:.3f}")
    print(f"report: {page}")
    photograph = write_photograph(output / "pictures" / "astronaut.png")
    walk = Inpainter().trace([str(photograph)], "block")
    print(f"a descent to watch: {write_descent(walk, output / 'descent', title=photograph.name)[0]}")
