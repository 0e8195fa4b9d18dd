"""Means and ratios of sums over clips, with intervals that resample speakers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ser.explainer.modality.table import Array
from ser.metrics import NO_INTERVAL, find_interval, resample_groups


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval, NaN where there is none."""

    value: float
    low: float
    high: float

    def describe(self, name: str = "value") -> dict[str, float]:
        """For tables: ``<name>``, ``<name>_low``, ``<name>_high``."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}

    def name(self, metric: str) -> dict[str, float]:
        """For a run: the value and the ends of the interval, as far as there are any."""
        ends = {metric: self.value, f"{metric}_ci_low": self.low, f"{metric}_ci_high": self.high}
        return {name: value for name, value in ends.items() if np.isfinite(value)}


def estimate(values: ArrayLike, speakers: ArrayLike, statistic: Callable[[Array], Array], draws: int) -> Estimate:
    """A statistic of sums over clips, and its interval.

    Args:
        values: of the clips, to be summed [N, ...].
        speakers: of the clips [N]; whole ones are resampled.
        statistic: of sums [..., ...] to numbers [...].
        draws: resamples.
    """
    sums = sum_speakers(values, speakers)
    value = float(statistic(sums.sum(0)))
    if len(sums) < 2:
        return Estimate(value, *NO_INTERVAL)
    drawn = statistic(resample_groups(sums, draws))
    return Estimate(value, *(find_interval(drawn[np.isfinite(drawn)]) if np.isfinite(drawn).any() else NO_INTERVAL))


def sum_speakers(values: ArrayLike, speakers: ArrayLike) -> Array:
    """Sums of each speaker [S, ...] of values of clips [N, ...]."""
    rows = np.asarray(values, dtype=float)
    names, place = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    sums = np.zeros((len(names), *rows.shape[1:]))
    np.add.at(sums, place, rows)
    return sums


def divide(sums: Array) -> Array:
    """The first sum over the second [...] of [..., 2]; NaN over nothing."""
    above, below = sums[..., 0], sums[..., 1]
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0)


def find_mean(values: ArrayLike, speakers: ArrayLike, draws: int) -> Estimate:
    """Mean over clips [N]."""
    rows = np.asarray(values, dtype=float)
    return estimate(np.column_stack([rows, np.ones(len(rows))]), speakers, divide, draws)


def find_ratio(above: ArrayLike, below: ArrayLike, speakers: ArrayLike, draws: int) -> Estimate:
    """Sum over clips [N] of one thing over that of another."""
    return estimate(np.column_stack([above, below]), speakers, divide, draws)
