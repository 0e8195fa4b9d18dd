"""Resampling speakers, or speakers and runs, and flipping the signs of speakers' differences.

Speakers alone answer "would other speakers show the same difference between these very models?". For "would training
runs differ again?" runs are resampled as well (:func:`bootstrap_two_way`): intervals over speakers alone are too narrow
then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial, prod

import numpy as np
from scipy import stats

from ser.errors import InputError
from ser.statistics.records import Record

#: Quantiles that every bootstrap reports.
QUANTILES = (0.025, 0.05, 0.5, 0.95, 0.975)
#: Up to so many speakers all S^S resamples are enumerated, and up to so many all 2^S sign flips.
ENUMERATE_RESAMPLES, ENUMERATE_FLIPS = 8, 20
#: Above so many speakers the percentile interval is bias-corrected.
CORRECT_ABOVE = 20
#: Shares of the largest possible statistic below which two statistics are the same number.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Bootstrap(Record):
    """A difference and its bootstrap distribution.

    ``ci`` is the percentile interval, bias-corrected above 20 speakers (``method``); ``quantiles`` are those of the
    distribution itself; ``p`` is twice the smaller share on either side of 0. ``exact`` means that all resamples were
    enumerated; ``n_runs`` counts the runs of both conditions where they were resampled too.
    """

    estimate: float
    mean: float
    sd: float
    ci: tuple[float, float]
    method: str
    quantiles: dict[str, float]
    share_le_0: float
    p: float
    n_resamples: int
    exact: bool
    n_speakers: int
    n_runs: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignFlip(Record):
    """Permutation test that flips the signs of the speakers' differences; ``smallest_p`` is what it can reach."""

    estimate: float
    p: float
    n_flips: int
    exact: bool
    n_speakers: int
    smallest_p: float
    notes: tuple[str, ...] = ()


def bootstrap_speakers(
    differences: np.ndarray,
    weights: np.ndarray | None = None,
    draws: int = 20_000,
    seed: int = 0,
    level: float = 0.95,
    exact_up_to: int = ENUMERATE_RESAMPLES,
) -> Bootstrap:
    """Resample speakers with replacement: the mean of their differences [S].

    Args:
        differences: one per speaker.
        weights: of the speakers [S]; their utterance counts give the difference of the pooled accuracies.
        draws: random resamples when there are too many speakers to enumerate all S^S.
        seed: of the random resamples.
        level: of the interval.
        exact_up_to: speakers up to which all resamples are enumerated.
    """
    differences = _check_differences(differences)
    size = len(differences)
    if size < 2:
        raise InputError("resampling speakers needs two or more speakers")
    exact = size <= exact_up_to
    if exact:
        copies, times = enumerate_resamples(size)
    else:
        copies = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), draws)
        times = np.ones(draws, dtype=int)
    shares = np.ones(size) if weights is None else np.asarray(weights, dtype=float)
    values = (copies @ (shares * differences)) / (copies @ shares)
    estimate = float(shares @ differences / shares.sum())
    return _summarize(values, times, estimate, level, exact, size, scale=float(np.abs(differences).max()))


def enumerate_resamples(size: int) -> tuple[np.ndarray, np.ndarray]:
    """All resamples of S units: how often each is drawn [K, S] and how many of the S^S resamples are so [K]."""
    copies = np.array(
        [np.bincount(drawn, minlength=size) for drawn in combinations_with_replacement(range(size), size)]
    )
    times = np.array([factorial(size) // prod(factorial(int(copy)) for copy in row) for row in copies])
    return copies, times


def bootstrap_two_way(
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    counts_a: np.ndarray | None = None,
    counts_b: np.ndarray | None = None,
    blocks_a: np.ndarray | None = None,
    blocks_b: np.ndarray | None = None,
    draws: int = 5000,
    seed: int = 0,
    level: float = 0.95,
) -> Bootstrap:
    """Resample speakers, the same in both conditions, and runs within each condition.

    Args:
        scores_a, scores_b: score of every run on every speaker, [R_a, S] and [R_b, S]; NaN where a run did not score a
            speaker (as under cross-validation, when every fold has its own model).
        counts_a, counts_b: utterances of the cells; with them cells weigh by their utterances, without them the
            statistic is the mean over speakers of their mean over runs.
        blocks_a, blocks_b: fold of every run [R]; runs are resampled within it, so that every speaker stays scored.
        draws, seed, level: of the resampling and the interval.

    Raises:
        InputError: different numbers of speakers, fewer than two, a speaker without score.
    """
    sides = [np.atleast_2d(np.asarray(scores, dtype=float)) for scores in (scores_a, scores_b)]
    size = sides[0].shape[1]
    if sides[1].shape[1] != size or size < 2:
        raise InputError("a two-way bootstrap needs the same two or more speakers in both conditions")
    if any(np.isnan(scores).all(0).any() for scores in sides):
        raise InputError("a speaker has no score in one of the conditions", remedy="leave this speaker out of both")
    rng = np.random.default_rng(seed)
    speakers = rng.multinomial(size, np.full(size, 1 / size), draws)
    once = np.ones((1, size))
    values, estimate, notes = np.zeros(draws), 0.0, []
    for sign, scores, counts, blocks in ((1, sides[0], counts_a, blocks_a), (-1, sides[1], counts_b, blocks_b)):
        runs, fixed = _draw_runs(rng, len(scores), blocks, draws)
        values += sign * _average_cells(scores, counts, speakers, runs)
        estimate += sign * float(_average_cells(scores, counts, once, np.ones((1, len(scores))))[0])
        if fixed:
            notes.append("a condition (or one of its folds) has a single run, so the spread between runs is not in it")
    known = ~np.isnan(values)
    scale = max(float(np.nanmax(np.abs(scores))) for scores in sides)
    return _summarize(
        values[known],
        np.ones(int(known.sum()), dtype=int),
        estimate,
        level,
        False,
        size,
        (len(sides[0]), len(sides[1])),
        tuple(dict.fromkeys(notes)),
        scale,
    )


def flip_signs(
    differences: np.ndarray, draws: int = 20_000, seed: int = 0, exact_up_to: int = ENUMERATE_FLIPS
) -> SignFlip:
    """Sign-flip test that the speakers' differences [S] are symmetric about 0; two-sided, of their mean.

    All 2^S flips are taken up to 20 speakers, else random ones to which the observed one is added.
    """
    differences = _check_differences(differences)
    size, moving = len(differences), int((differences != 0).sum())
    bound = abs(differences.sum()) - ROUNDING * np.abs(differences).sum()
    exact = size <= exact_up_to
    if exact:
        sums = np.zeros(1)
        for value in differences:
            sums = np.concatenate([sums + value, sums - value])
        p, flips = float((np.abs(sums) >= bound).mean()), len(sums)
    else:
        signs = np.random.default_rng(seed).integers(0, 2, (draws, size), dtype=np.int8) * 2 - 1
        p, flips = float((1 + (np.abs(signs @ differences) >= bound).sum()) / (1 + draws)), draws
    # Both directions of all differences agreeing are the two most extreme flips; zeros do not move.
    smallest = min(1.0, 2.0 ** (1 - moving)) if exact else max(2.0 ** (1 - moving), 1 / (1 + flips))
    units = f"{size} speakers" if moving == size else f"{size} speakers, {size - moving} of them without a difference"
    notes = (f"{units}: sign flips cannot reach .05",) if smallest > 0.05 else ()
    return SignFlip(float(differences.mean()), p, flips, exact, size, smallest, notes)


# ---- small things


def find_quantiles(values: np.ndarray, times: np.ndarray, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """Quantiles (R's type 7) at the shares of values [K] that occur so many times [K]."""
    order = np.argsort(values, kind="stable")
    ordered, ends = values[order], np.cumsum(times[order])
    places = (ends[-1] - 1) * np.asarray(shares, dtype=float)
    below = np.floor(places)
    low = ordered[np.searchsorted(ends, below, side="right")]
    high = ordered[np.searchsorted(ends, np.minimum(below + 1, ends[-1] - 1), side="right")]
    return low + (places - below) * (high - low)


def _summarize(
    values: np.ndarray,
    times: np.ndarray,
    estimate: float,
    level: float,
    exact: bool,
    n_speakers: int,
    n_runs: tuple[int, int] | None = None,
    notes: tuple[str, ...] = (),
    scale: float = 1.0,
) -> Bootstrap:
    """Mean, SD, quantiles and interval of resampled values [K] that occur so many times [K]."""
    total, zero = times.sum(), ROUNDING * scale
    mean = float(times @ values / total)
    low, high = int(times[values <= zero].sum()), int(times[values >= -zero].sum())
    # Random resamples never prove that a side is empty.
    tail = min(low, high) / total if exact else (min(low, high) + 1) / (total + 1)
    ends = np.array([(1 - level) / 2, (1 + level) / 2])
    correct = n_speakers > CORRECT_ABOVE
    if correct:
        below = (times[values < estimate].sum() + times[values == estimate].sum() / 2) / total
        ends = stats.norm.cdf(2 * stats.norm.ppf(np.clip(below, 1e-6, 1 - 1e-6)) + stats.norm.ppf(ends))
    bounds = find_quantiles(values, times, ends)
    if n_speakers < 5:
        notes = (*notes, f"percentile intervals of {n_speakers} speakers are too narrow")
    return Bootstrap(
        estimate=estimate,
        mean=mean,
        sd=float(np.sqrt(times @ (values - mean) ** 2 / total)),
        ci=(float(bounds[0]), float(bounds[1])),
        method="bias-corrected" if correct else "percentile",
        quantiles=dict(
            zip((f"{100 * q:g}%" for q in QUANTILES), find_quantiles(values, times, QUANTILES).tolist(), strict=True)
        ),
        share_le_0=float(low / total),
        p=float(min(1.0, 2 * tail)),
        n_resamples=int(total),
        exact=exact,
        n_speakers=n_speakers,
        n_runs=n_runs,
        notes=notes,
    )


def _draw_runs(rng: np.random.Generator, size: int, blocks: np.ndarray | None, draws: int) -> tuple[np.ndarray, bool]:
    """How often each run is drawn within its block [draws, R], and whether some block has only one run."""
    labels = np.zeros(size, dtype=int) if blocks is None else np.unique(blocks, return_inverse=True)[1]
    copies = np.zeros((draws, size))
    for block in np.unique(labels):
        own = np.flatnonzero(labels == block)
        copies[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), draws)
    return copies, bool((np.bincount(labels) == 1).any())


def _average_cells(scores: np.ndarray, counts: np.ndarray | None, speakers: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Mean [B] of cells [R, S] when speakers [B, S] and runs [B, R] count so often; NaN where none is left."""
    weights = (~np.isnan(scores)).astype(float)
    if counts is not None:
        weights *= np.asarray(counts, dtype=float)
    sums, totals = runs @ (weights * np.nan_to_num(scores)), runs @ weights
    if counts is None:
        known = totals > 0
        sums, totals = np.divide(sums, totals, out=np.zeros_like(sums), where=known), known.astype(float)
    with np.errstate(invalid="ignore"):
        return (speakers * sums).sum(1) / (speakers * totals).sum(1)


def _check_differences(differences: np.ndarray) -> np.ndarray:
    """Differences of speakers as numbers; InputError when there are none or one is missing."""
    values = np.asarray(differences, dtype=float)
    if not len(values) or not np.isfinite(values).all():
        raise InputError("a speaker has no score in one of the conditions", remedy="leave this speaker out of both")
    return values
