"""AUROC bars and ROC curves show the numbers of the evaluation."""

from dataclasses import replace

import numpy as np

from attractor.report.separation import MOST_CATEGORIES, auroc_bars, category_auroc, roc_curves


def test_auroc_of_each_kind_is_against_all_normals(evaluation):
    scores = np.concatenate([np.linspace(0, 1, 40), np.full(30, 2.0), np.full(30, 0.5)])
    spoiled = replace(evaluation, scores={"mahalanobis": scores})
    (hard, hard_auroc, _), (easy, easy_auroc, _) = category_auroc(spoiled)
    assert (hard, easy) == ("hole", "crack")
    assert hard_auroc == 0.5
    assert easy_auroc == 1.0


def test_one_kind_of_anomaly_has_no_second_panel(evaluation):
    alone = replace(evaluation, categories=["good"] * 40 + ["bad"] * 60)
    assert len(auroc_bars(evaluation).axes) == 2
    assert len(auroc_bars(alone).axes) == 1


def test_many_kinds_are_cut_to_the_hardest_and_say_so(evaluation):
    kinds = ["good"] * 40 + [f"kind {i % 30}" for i in range(60)]
    axes = auroc_bars(replace(evaluation, categories=kinds)).axes[1]
    assert len(axes.patches) == MOST_CATEGORIES
    assert axes.get_title(loc="left") == f"Kinds of anomaly, {MOST_CATEGORIES} hardest of 30"


def test_bars_are_as_long_as_the_auroc_says(evaluation):
    axes = auroc_bars(evaluation).axes[0]
    ends = sorted(bar.get_x() + bar.get_width() for bar in axes.patches)
    np.testing.assert_allclose(ends, sorted(m["auroc"] for m in evaluation.metrics.values()))


def test_the_operating_point_lies_on_the_curve_of_the_method_in_use(evaluation):
    lines = {line.get_label(): line.get_xydata() for line in roc_curves(evaluation).axes[0].lines}
    (point,) = lines["calibrated threshold"]
    assert point[0] == 2 / 40
    curve = lines[f"mahalanobis ({evaluation.metrics['mahalanobis']['auroc']:.3f})"]
    low, high = np.minimum(curve[:-1], curve[1:]), np.maximum(curve[:-1], curve[1:])
    assert ((low <= point) & (point <= high)).all(axis=1).any()


def test_the_legend_covers_nothing_and_is_ordered_as_the_table(evaluation):
    figure = roc_curves(evaluation)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    axes = figure.axes[0]
    assert not legend.get_window_extent().overlaps(axes.get_tightbbox())
    assert figure.bbox.contains(*legend.get_window_extent().min) and figure.bbox.contains(
        *legend.get_window_extent().max
    )
    names = [text.get_text() for text in legend.get_texts()]
    assert names[:2] == [f"{name} ({metrics['auroc']:.3f})" for name, metrics in evaluation.ranked]
