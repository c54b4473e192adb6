"""Which images are worth a picture: places among the scored ones, in the order in which a report shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 12  # of each kind
SPREAD = 5  # of each class


@dataclass(frozen=True)
class Showing:
    """The ``highest`` scores, the ``missed`` anomalies from the lowest score up, the false ``alarms`` from the highest.

    ``spread`` has normal and anomalous images evenly from the highest score of the class to its lowest: no choice of
    the prettiest.
    """

    highest: list[int]
    missed: list[int]
    alarms: list[int]
    spread: tuple[list[int], list[int]]

    @classmethod
    def of(cls, scores: np.ndarray, labels: np.ndarray, flagged: np.ndarray) -> Showing:
        """Choose from scores, labels (0 or 1) and decisions, ``(n,)`` each."""
        order = np.argsort(-scores, kind="stable")
        anomalous, found = labels[order] == 1, flagged[order]
        return cls(
            highest=order[:MOST].tolist(),
            missed=order[anomalous & ~found][::-1][:MOST].tolist(),
            alarms=order[~anomalous & found][:MOST].tolist(),
            spread=(_spread(order[~anomalous]), _spread(order[anomalous])),
        )

    @property
    def places(self) -> list[int]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.highest, *self.missed, *self.alarms, *self.spread[0], *self.spread[1]]))


def _spread(ranked: np.ndarray) -> list[int]:
    places = np.linspace(0, len(ranked) - 1, min(SPREAD, len(ranked)))
    return [int(ranked[round(place)]) for place in places]
