"""Decisions with a false-alarm rate that holds, from scores of normal images nothing else has seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attractor.errors import InputError
from attractor.percent import percent

ROUNDING = 1e-9  # so that 0.29 * 100 counts as 29
TIE = 1e-5  # part of a score that float32 does not tell apart, by which the same image varies from batch to batch


@dataclass(eq=False)  # arrays do not compare to one truth
class ConformalCalibrator:
    r"""Conformal p-values and a threshold at a target false-alarm rate.

    With ``n`` calibration scores ``c_i`` of normal images and a new score ``s``::

        p(s) = (1 + #{c_i >= s}) / (n + 1),      P(p <= a) <= a  for every a

    for a normal image, whatever the distribution, as long as it is exchangeable with the calibration images
    (ties only make it safer, and what rounding may have parted is a tie: ``c_i >= s - TIE max(|s|, median |c|)``).
    An image is anomalous where ``p <= achievable_rate``. No p-value is below ``1 /
    (n + 1)``, so with ``n < 1 / false_alarm_rate - 1`` the target is out of reach: decisions are then made at
    ``1 / (n + 1)`` and ``warning`` says so.

    ``scores`` holds the calibration scores ``(n,)``, ascending, float64. Raises :class:`InputError` for a rate
    outside (0, 1), for calibration scores that are not finite or none, for NaN, and for use before ``fit``.
    Source: Vovk, Gammerman and Shafer (2005), Algorithmic learning in a random world; Bates et al. (2023).
    """

    false_alarm_rate: float = 0.01
    scores: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), repr=False)

    def __post_init__(self) -> None:
        rate = self.false_alarm_rate
        if not isinstance(rate, Real) or not 0 < rate < 1 or math.isinf(1 / rate):
            raise InputError(f"false_alarm_rate is {rate!r}: give a share between 0 and 1, such as 0.01")

    def fit(self, scores: ArrayLike) -> ConformalCalibrator:
        """Keep the scores ``(n,)`` of normal images that neither the encoder nor the score was fitted on."""
        kept = np.sort(np.asarray(scores, dtype=np.float64).ravel())
        if not len(kept):
            raise InputError("no calibration scores: hold out at least 1 normal one")
        if not np.isfinite(kept).all():
            raise InputError(f"{int((~np.isfinite(kept)).sum())} calibration scores are not finite: leave those out")
        self.scores = kept
        return self

    @property
    def achievable_rate(self) -> float:
        """The rate at which decisions are made, at most the target unless the target is out of reach.

        ``max(1, floor((n + 1) false_alarm_rate)) / (n + 1)``: a false alarm on a normal image has this
        probability, or less where scores tie.
        """
        return self._alarms() / (len(self.scores) + 1)

    @property
    def threshold(self) -> float:
        """The calibration score above which, strictly, a score is anomalous; p-values say the same."""
        return float(self.scores[-self._alarms()])

    @property
    def warning(self) -> str | None:
        """One sentence when there are too few calibration images for the target rate, else ``None``."""
        needed = math.ceil(1 / self.false_alarm_rate - ROUNDING) - 1
        n = self._count()
        if n >= needed:
            return None
        return (
            f"{n} calibration scores support no false-alarm rate below {percent(self.achievable_rate)}, "
            f"at which decisions are made: {percent(self.false_alarm_rate)} needs {needed} normal ones held out"
        )

    def p_value(self, scores: ArrayLike) -> NDArray[np.float64]:
        """P-values ``(n,)`` in ``[1 / (n + 1), 1]`` of scores ``(n,)``; lower is more anomalous."""
        values = self._lowered(scores)
        at_least = self._count() - np.searchsorted(self.scores, values, side="left")
        return (1 + at_least) / (len(self.scores) + 1)

    def is_anomalous(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Decisions ``(n,)`` of scores ``(n,)``: those above ``threshold`` by more than rounding."""
        return np.asarray(self._lowered(scores) > self.threshold)

    def to_json(self) -> dict[str, Any]:
        """Everything it decides by, as plain numbers."""
        return {"false_alarm_rate": self.false_alarm_rate, "scores": self.scores.tolist()}

    @classmethod
    def from_json(cls, data: Any) -> ConformalCalibrator:
        """The calibrator that :meth:`to_json` described."""
        try:
            return cls(float(data["false_alarm_rate"])).fit([float(score) for score in data["scores"]])
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise InputError(f"the calibration cannot be read ({reason}): fit the detector again") from error

    def _count(self) -> int:
        if not len(self.scores):
            raise InputError("the calibrator is not fitted: call fit() with scores of held-out normal images")
        return len(self.scores)

    def _lowered(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Scores ``(n,)`` less what rounding may have added; infinite ones stay."""
        values = np.asarray(scores, dtype=np.float64)
        if np.isnan(values).any():
            raise InputError(f"{int(np.isnan(values).sum())} scores are NaN: leave those out")
        self._count()
        size = np.maximum(np.abs(values), np.median(np.abs(self.scores)))
        return values - np.where(np.isfinite(values), TIE * size, 0)

    def _alarms(self) -> int:
        """How many of ``n + 1`` exchangeable normal scores may raise an alarm."""
        n = self._count()
        return min(n, max(1, math.floor((n + 1) * self.false_alarm_rate + ROUNDING)))
