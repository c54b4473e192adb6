"""No outlier may be dropped from the histogram, or squash the others into one bin."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attractor.report.distributions import bin_scores, score_distributions


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e9, 1e9)),
    arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e9, 1e9)),
)
def test_every_score_is_counted_once(normal, anomalous):
    labels = np.repeat([0, 1], [len(normal), len(anomalous)])
    bins = bin_scores(np.concatenate([normal, anomalous]), labels)
    assert (np.diff(bins.edges) > 0).all()
    np.testing.assert_array_equal(bins.counts(), [len(normal), len(anomalous)])


def test_outliers_go_to_their_own_bins_and_leave_the_axis_alone(evaluation):
    scores, labels = evaluation.scores["mahalanobis"].copy(), evaluation.labels
    plain = bin_scores(scores - 10, labels)
    scores[[0, 50, 51]] = -1e12, 1e12, 1e9
    spoiled = bin_scores(scores - 10, labels)
    np.testing.assert_array_equal(spoiled.below, [1, 0])
    np.testing.assert_array_equal(spoiled.above, [0, 2])
    assert np.ptp(spoiled.edges) < 1.5 * np.ptp(plain.edges)


@pytest.mark.parametrize(("factor", "log"), [(1.0, False), (1e4, True)])
def test_wide_positive_scores_get_a_logarithmic_axis(factor, log):
    scores = np.concatenate([np.linspace(1, 2, 20), factor * np.linspace(2, 3, 20)])
    bins = bin_scores(scores, np.repeat([0, 1], 20))
    assert bins.log is log
    assert bins.inside.sum() == 40


def test_the_figure_tells_outliers_and_threshold(evaluation):
    scores = evaluation.scores["mahalanobis"].copy()
    scores[99] = 1e6
    figure = score_distributions(replace(evaluation, scores=evaluation.scores | {"mahalanobis": scores}))
    assert any("0 normal\n1 anomalous" in text.get_text() for text in figure.axes[0].texts)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["normal (40)", "anomalous (60)", f"threshold {evaluation.threshold:.4g}"]


@pytest.mark.parametrize("threshold", [np.inf, -1e9])
def test_a_threshold_off_the_axis_is_named(evaluation, threshold):
    figure = score_distributions(replace(evaluation, threshold=threshold))
    side = "right" if threshold > 0 else "left"
    assert figure.legends[0].get_texts()[-1].get_text().endswith(f"off the axis to the {side}")
