"""``attractor detect``: fit on normal images, calibrate on others, score any, evaluate on labelled ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attractor.cli.output import print_json, report_unreadable, unreadable_json, yes
from attractor.console import stderr
from attractor.errors import InputError
from attractor.files import csv_text, require_writable, write_text
from attractor.percent import percent

if TYPE_CHECKING:
    from attractor.tasks import AnomalyDetector
    from attractor.tasks.detection.evaluation import Evaluation
    from attractor.tasks.detection.scores import ImageScores

app = typer.Typer(no_args_is_help=True, help="Find the odd images, having seen only normal ones.")

MODEL_DIR = typer.Argument(help="Folder that `attractor detect fit` wrote.", show_default=False)
METHOD = typer.Option(None, help="Score that decides, instead of the one chosen at fit.")


@app.command()
def fit(
    good_dir: Path = typer.Argument(help="Folder of normal images, at any depth.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="Folder to write the detector to.", show_default=False),
    model: str = typer.Option("selyne-tiny", help="Encoder: a shipped name, or a folder `attractor pretrain` wrote."),
    method: str = typer.Option("combined", help="Score that decides; the others are kept beside it."),
    tiles: bool = typer.Option(False, help="Look at overlapping tiles, for small defects in large images."),
    resolution: int = typer.Option(256, min=64, help="Longer side, in pixels, at which tiles are cut."),
    mirrored: bool = typer.Option(False, help="Fit on mirrored images too: mirrored left to right they are as normal."),
    tuning: str = typer.Option(
        "none", help="Train first: the encoder as published (one-class), or a net that finds damage (damage)."
    ),
    epochs: int | None = typer.Option(None, min=1, help="Epochs of fine-tuning, if not the objective's own default."),
    false_alarm_rate: float = typer.Option(0.01, help="Share of normal images that may be flagged."),
    calibration: float | None = typer.Option(
        None, min=0.01, max=0.9, help="Share of the images kept for calibration, if not as many as the rate needs."
    ),
    calibrate_on: Path | None = typer.Option(None, help="Normal images for calibration, instead of such a share."),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Seed of the split and of fine-tuning."),
    resume: bool = typer.Option(False, help="Go on with an interrupted fine-tuning."),
) -> None:
    """Learn what is normal from a folder of normal images alone."""
    from attractor.tasks import AnomalyDetector
    from attractor.training.checkpoint import CHECKPOINT
    from attractor.training.runs import require_free

    detector = AnomalyDetector(
        model,
        method=method,
        tiles=tiles,
        resolution=resolution,
        mirrored=mirrored,
        tuning=tuning,
        epochs=epochs,
        false_alarm_rate=false_alarm_rate,
        calibration=calibration,
        seed=seed,
    )
    if tuning == "none" and (epochs or resume):
        raise InputError("--epochs and --resume are about fine-tuning; add --tuning one-class or --tuning damage")
    require_writable(output)
    require_free(output, resume)
    detector.fit(good_dir, calibrate_on=calibrate_on, checkpoint=output, resume=resume)
    _save(detector, output)
    (output / CHECKPOINT).unlink(missing_ok=True)


def _save(detector: AnomalyDetector, output: Path) -> None:
    """Save it, and say how it decides and what could not be read."""
    detector.save(output)
    report_unreadable(detector.unreadable_)
    calibrator = detector.calibrators_[detector.method]
    rate = percent(calibrator.achievable_rate)
    print(f"{output}: {detector.method} flags scores above {calibrator.threshold:.6g}, {rate} of normal images")


@app.command()
def calibrate(
    model_dir: Path = MODEL_DIR,
    good_dir: Path = typer.Argument(help="Folder of normal images that were not fitted on.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="Folder to write the detector to.", show_default=False),
    false_alarm_rate: float | None = typer.Option(None, help="Another share of normal images that may be flagged."),
) -> None:
    """Decide by other normal images, such as those of another camera, batch or day; nothing is fitted again."""
    from attractor.tasks import AnomalyDetector

    detector = AnomalyDetector.load(model_dir)
    if false_alarm_rate is not None:
        detector.set_params(false_alarm_rate=false_alarm_rate)
    require_writable(output)
    _save(detector.calibrate(good_dir), output)


@app.command()
def score(
    model_dir: Path = MODEL_DIR,
    paths: list[Path] = typer.Argument(help="Images or folders of images.", show_default=False),
    method: str | None = METHOD,
    csv: Path | None = typer.Option(None, help="Write the rows to this CSV file too."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON, with every method's score."),
    heat: Path | None = typer.Option(None, help="Write a heat map of every image into this folder."),
) -> None:
    """Score images: one row a file, with path, score, p_value, anomalous."""
    from attractor.tasks import AnomalyDetector

    detector = AnomalyDetector.load(model_dir)
    result = detector.score_images([str(path) for path in paths], method=method, heats=heat is not None)
    rows = list(zip(result.names, _scores(result), result.p_values.tolist(), result.anomalous.tolist(), strict=True))
    header = ("path", "score", "p_value", "anomalous")
    if csv:
        write_text(csv, csv_text(header, [(*row[:3], yes(row[3])) for row in rows]))
    if heat:
        from attractor.report import write_heat_maps

        write_heat_maps(result.names, result.heats, result.heat_limits, heat)
    if as_json:
        print_json(_score_json(detector, result, rows))
    else:
        print(csv_text(header, [(p, f"{s:.6g}", f"{v:.4g}", yes(a)) for p, s, v, a in rows]), end="")
    report_unreadable(result.unreadable)
    if not rows:
        raise InputError("none of the images could be read; nothing was scored")


def _scores(result: ImageScores) -> list[float]:
    return result.scores[result.method].tolist()


def _score_json(detector: Any, result: ImageScores, rows: list[tuple]) -> dict:
    calibrator = detector.calibrators_[result.method]
    images = [
        {
            "path": path,
            "score": value,
            "p_value": p_value,
            "anomalous": anomalous,
            "scores": {name: float(values[i]) for name, values in result.scores.items()},
        }
        for i, (path, value, p_value, anomalous) in enumerate(rows)
    ]
    return {
        "method": result.method,
        "threshold": calibrator.threshold,
        "false_alarm_rate": calibrator.achievable_rate,
        "images": images,
        "unreadable": unreadable_json(result.unreadable),
    }


@app.command()
def evaluate(
    model_dir: Path = MODEL_DIR,
    test_dir: Path = typer.Argument(help="Class folders, or MVTec-AD layout with masks.", show_default=False),
    normal: str | None = typer.Option(None, help="Name of the normal class, if it has no usual one."),
    method: str | None = METHOD,
    report: Path | None = typer.Option(None, help="Write pictures and one HTML page into this folder."),
    bootstrap: int = typer.Option(1000, min=1, help="Resamples of the 95 % interval."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Measure a detector on labelled images."""
    from attractor.data.images import UnreadableImage
    from attractor.data.layouts import labelled_folder
    from attractor.tasks import AnomalyDetector, evaluate_images

    if report:
        require_writable(report)
    detector = AnomalyDetector.load(model_dir)
    labelled = labelled_folder(test_dir, normal)
    title = f"{_named(test_dir)}, judged by {_named(model_dir)}"
    evaluation = evaluate_images(detector, labelled, title, method=method, bootstrap=bootstrap)
    if report:
        from attractor.report import write_report

        stderr.print(f"report: {write_report(evaluation, report)}")
    if as_json:
        print_json(evaluation.summary())
    else:
        print_evaluation(evaluation)
    report_unreadable([UnreadableImage(*found) for found in evaluation.unreadable])


def _named(folder: Path) -> str:
    """The last two names of a path: of those one alone, such as "test", tells little."""
    return "/".join(folder.resolve().parts[-2:]).lstrip("/")


def print_evaluation(evaluation: Evaluation) -> None:
    """The table a person reads."""
    anomalous = int(evaluation.labels.sum())
    normal = len(evaluation.labels) - anomalous
    print(f"{normal} normal and {anomalous} anomalous images; decisions by {evaluation.method}")
    print(f"{'method':<16}{'AUROC':>7}{'95 % interval':>17}{'AP':>8}{'F1':>8}{'oracle F1':>11}")
    for name, m in evaluation.ranked:
        low, high = m["auroc_interval"]
        mark = "*" if name == evaluation.method else " "
        print(
            f"{name + mark:<16}{m['auroc']:>7.3f}{f'{low:.3f} to {high:.3f}':>17}{m['ap']:>8.3f}"
            f"{m['f1']:>8.3f}{m['oracle_f1']:>11.3f}"
        )
    chosen = evaluation.metrics[evaluation.method]
    print(
        f"flagged: {percent(chosen['false_alarm_rate'])} of the normal images ({evaluation.calibrated_to}), "
        f"{percent(chosen['recall'])} of the anomalous ones"
    )
    for name, value in (evaluation.pixel_metrics or {}).items():
        print(f"{name}: {value:.3f}")
    for note in evaluation.notes:
        print(f"note: {note}")
