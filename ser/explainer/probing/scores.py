"""Scores of probes: R2 against the training mean, r, RMSE, with intervals over speakers.

Every score is a function of sums over clips, so sums of each speaker are all that resampling needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser.metrics import DRAWS, resample_groups


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What probes of T targets said of held-out clips, fold after fold.

    Attributes:
        rows: row numbers of the clips [M].
        true: of them [M, T], less the mean that the fold's training rows had.
        predicted: less the same mean [M, T].
    """

    rows: np.ndarray
    true: np.ndarray
    predicted: np.ndarray

    @classmethod
    def join(cls, parts: Sequence[HeldOut]) -> HeldOut:
        """Several folds."""
        fields = ("rows", "true", "predicted")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of T targets; their intervals [2, T] have 95 %."""

    r2: np.ndarray
    r: np.ndarray
    rmse: np.ndarray
    r2_interval: np.ndarray
    r_interval: np.ndarray


def sum_moments(tested: HeldOut, speakers: np.ndarray) -> np.ndarray:
    """Sums of each speaker [S, 7, T]: clips, true, predicted, their squares and product, squared errors.

    Args:
        tested: predictions.
        speakers: number of the speaker of every row that there is [N].
    """
    found, place = np.unique(speakers[tested.rows], return_inverse=True)
    one, other = tested.true, tested.predicted
    parts = [np.ones_like(one), one, other, one * one, other * other, one * other, (one - other) ** 2]
    sums = np.zeros((len(found), len(parts), one.shape[1]))
    for number, part in enumerate(parts):
        np.add.at(sums[:, number], place, part)
    return sums


def find_r2(sums: np.ndarray) -> np.ndarray:
    """1 - squared errors / squared deviations from the training mean, [..., T] of sums [..., 7, T]."""
    total = sums[..., 3, :]
    return 1 - np.divide(sums[..., 6, :], total, out=np.full(total.shape, np.nan), where=total > 0)


def find_r(sums: np.ndarray) -> np.ndarray:
    """Pearson's r [..., T]; 0 where the probe says the same of all clips."""
    count, one, other, squares, others, products, _ = np.moveaxis(sums, -2, 0)
    spread = np.sqrt(np.maximum(squares - one**2 / count, 0) * np.maximum(others - other**2 / count, 0))
    small = 1e-12 * np.sqrt(np.maximum(squares * others, 0))
    return np.divide(products - one * other / count, spread, out=np.zeros(spread.shape), where=spread > small)


def find_rmse(sums: np.ndarray) -> np.ndarray:
    """Root of the mean squared error [..., T], in the target's unit."""
    return np.sqrt(sums[..., 6, :] / sums[..., 0, :])


def score(tested: HeldOut, speakers: np.ndarray, draws: int = DRAWS) -> Scores:
    """All scores with intervals that resample speakers; NaN with one speaker."""
    sums = sum_moments(tested, speakers)
    total = sums.sum(0)
    r2, r = resample(sums, draws)
    return Scores(find_r2(total), find_r(total), find_rmse(total), find_limits(r2), find_limits(r))


def resample(sums: np.ndarray, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """R2 and r [draws, T] of resampled speakers, from sums [S, 7, T]; the same speakers whatever the sums."""
    if len(sums) < 2:
        nothing = np.full((1, sums.shape[-1]), np.nan)
        return nothing, nothing
    samples = resample_groups(sums, draws)
    return find_r2(samples), find_r(samples)


def find_limits(values: np.ndarray) -> np.ndarray:
    """Percentiles 2.5 and 97.5 [2, T] of values [draws, T]."""
    return np.quantile(values, [0.025, 0.975], axis=0)


def compare(one: HeldOut, other: HeldOut, speakers: np.ndarray, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """Difference of R2 [T] of two probes of the same clips and its interval [2, T], speakers resampled in pairs."""
    first, second = (sum_moments(each, speakers) for each in (one, other))
    gain = find_r2(first.sum(0)) - find_r2(second.sum(0))
    return gain, find_limits(resample(first, draws)[0] - resample(second, draws)[0])


def find_max_t(observed: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Permutation tests of T statistics, alone and as a family (Westfall & Young, 1993: single-step max-T).

    Args:
        observed: [T].
        null: under permutations that move all targets alike [B, T].

    Returns:
        Distance from the null's mean in its SDs [T], p alone [T], p within the family [T].
    """
    mean, spread = null.mean(0), null.std(0, ddof=1)
    spread = np.where(spread > 0, spread, np.inf)
    z, drawn = (observed - mean) / spread, (null - mean) / spread
    alone = (1 + (null >= observed).sum(0)) / (len(null) + 1)
    family = (1 + (drawn.max(1)[:, None] >= z).sum(0)) / (len(null) + 1)
    return z, alone, np.maximum(family, alone)
