"""The conformal guarantee, by simulation and by exact counts."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attractor.errors import InputError
from attractor.scoring.conformal import TIE, ConformalCalibrator
from refusals import refusal

scores = st.lists(st.integers(-5, 5) | st.floats(-1e6, 1e6), min_size=1, max_size=250)
rates = st.floats(1e-3, 0.999)


def test_p_values_by_hand():
    calibrator = ConformalCalibrator(0.2).fit([3, 1, 2, 2])
    np.testing.assert_allclose(calibrator.p_value([0, 1, 1.5, 2, 3, 3.1]), [1, 1, 4 / 5, 4 / 5, 2 / 5, 1 / 5])
    assert calibrator.is_anomalous([2, 3, 3.1]).tolist() == [False, False, True]
    assert (calibrator.threshold, calibrator.achievable_rate, calibrator.warning) == (3, 0.2, None)


@given(scores, rates)
def test_decision_threshold_and_p_value_agree(calibration, rate):
    calibrator = ConformalCalibrator(rate).fit(calibration)
    near = np.concatenate([calibrator.scores, np.nextafter(calibrator.scores, np.inf), [-np.inf, np.inf]])
    anomalous = calibrator.is_anomalous(near)
    assert (anomalous == (calibrator.p_value(near) <= calibrator.achievable_rate)).all()
    apart = np.abs(near - calibrator.threshold) > 2 * TIE * np.maximum(np.abs(near), np.abs(calibrator.scores).max())
    assert (anomalous == (near > calibrator.threshold))[apart | np.isinf(near)].all()
    assert not anomalous[near <= calibrator.threshold].any()


@given(scores, rates)
def test_the_achievable_rate_is_the_largest_multiple_within_the_target(calibration, rate):
    n = len(calibration)
    calibrator = ConformalCalibrator(rate).fit(calibration)
    step, achieved = 1 / (n + 1), calibrator.achievable_rate
    assert achieved == pytest.approx(step * round(achieved / step))
    assert achieved <= max(rate, step) + 1e-9
    assert achieved + step > rate - 1e-9
    assert (calibrator.warning is not None) == (step > rate + 1e-9)


@given(st.lists(st.integers(-5, 5) | st.floats(-1e6, 1e6), min_size=2, max_size=40), rates)
def test_leave_one_out_never_exceeds_the_rate(values, rate):
    """Exchangeability, counted: of all scores, each in turn as the new one, at most the share alarms."""
    others = [values[:i] + values[i + 1 :] for i in range(len(values))]
    alarms = [
        ConformalCalibrator(rate).fit(rest).is_anomalous([value])[0] for rest, value in zip(others, values, strict=True)
    ]
    assert sum(alarms) <= max(1, math.floor(len(values) * rate + 1e-9))


@pytest.mark.parametrize("n", [30, 99, 150, 500])
@pytest.mark.parametrize("ties", [False, True])
def test_the_false_alarm_rate_holds_over_many_draws(n, ties):
    generator, draws = np.random.default_rng(n), 4000
    values = generator.standard_cauchy((draws, n + 1))
    values = np.round(values) if ties else values
    calibrators = [ConformalCalibrator(0.05).fit(row[1:]) for row in values]
    alarms = sum(bool(c.is_anomalous(row[:1])[0]) for c, row in zip(calibrators, values, strict=True))
    rate = calibrators[0].achievable_rate
    margin = 4 * math.sqrt(rate * (1 - rate) / draws)
    assert rate <= 0.05
    assert alarms / draws <= rate + margin
    assert ties or alarms / draws >= rate - margin  # without ties the rate is met, not only kept


def test_p_values_are_uniform_at_most():
    normal = np.random.default_rng(0).normal
    p = np.array([ConformalCalibrator().fit(normal(size=50)).p_value([normal()])[0] for _ in range(5000)])
    for level in (0.02, 0.1, 0.5, 0.9):
        assert (p <= level).mean() <= level + 4 * math.sqrt(level * (1 - level) / 5000)


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 99), (0.05, 19), (0.07, 14), (0.29, 3), (0.3, 3), (0.5, 1)])
def test_the_warning_names_the_number_of_images_that_ends_it(rate, needed):
    assert ConformalCalibrator(rate).fit(range(needed)).warning is None
    if needed > 1:
        short = ConformalCalibrator(rate).fit(range(needed - 1))
        assert f"needs {needed} normal ones" in str(short.warning)
        assert short.achievable_rate == pytest.approx(1 / needed)
        assert short.is_anomalous([needed, needed - 2]).tolist() == [True, False]


def test_a_rate_that_floats_cannot_hold_is_counted_exactly():
    assert ConformalCalibrator(0.29).fit(range(99)).achievable_rate == 0.29  # 0.29 * 100 = 28.999999999999996


def test_json_and_back():
    calibrator = ConformalCalibrator(0.03).fit(np.random.default_rng(0).normal(size=70).astype(np.float32))
    again = ConformalCalibrator.from_json(json.loads(json.dumps(calibrator.to_json())))
    assert again.false_alarm_rate == 0.03
    assert np.array_equal(again.scores, calibrator.scores)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"scores": [1.0]}, "'false_alarm_rate' is missing"),
        ({"false_alarm_rate": 0.1}, "'scores' is missing"),
        ({"false_alarm_rate": 2, "scores": [1.0]}, "between 0 and 1"),
        ({"false_alarm_rate": "high", "scores": [1.0]}, "high"),
        ({"false_alarm_rate": 0.1, "scores": []}, "no calibration scores"),
        ({"false_alarm_rate": 0.1, "scores": [1.0, math.nan]}, "not finite"),
        ({"false_alarm_rate": 0.1, "scores": None}, "not iterable"),
        ([], "list"),
        (None, "NoneType"),
    ],
)
def test_a_broken_description_is_refused(data, reason):
    with refusal(match=reason):
        ConformalCalibrator.from_json(data)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 5, math.nan])
def test_a_rate_outside_the_open_interval_is_refused(rate):
    with pytest.raises(InputError, match="false_alarm_rate"):
        ConformalCalibrator(rate)


def test_scores_that_mean_nothing_are_refused():
    calibrator = ConformalCalibrator().fit(range(200))
    for use in (calibrator.p_value, calibrator.is_anomalous):
        with pytest.raises(InputError, match="1 scores are NaN"):
            use([1.0, math.nan])
    for bad in ([], [math.nan], [1.0, math.inf]):
        with pytest.raises(InputError):
            ConformalCalibrator().fit(bad)


@pytest.mark.parametrize("use", ["p_value", "is_anomalous"])
def test_use_before_fit_is_refused(use):
    with pytest.raises(InputError, match="not fitted"):
        getattr(ConformalCalibrator(), use)([1.0])


def test_what_rounding_parts_is_a_tie() -> None:
    calibrator = ConformalCalibrator(0.1).fit(np.full(20, 3.0))
    scores = 3 * (1 + np.array([-1e-6, 0, 1e-6, 1e-3]))
    np.testing.assert_array_equal(calibrator.p_value(scores), [1, 1, 1, 1 / 21])
    np.testing.assert_array_equal(calibrator.is_anomalous(scores), [False, False, False, True])
    small = ConformalCalibrator(0.1).fit(1e-9 * np.arange(1, 21))  # whatever the unit
    assert small.p_value([1.05e-8]) == 11 / 21
    assert calibrator.p_value([np.inf]) == 1 / 21 and calibrator.p_value([-np.inf]) == 1
