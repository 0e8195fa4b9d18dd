"""What a comparison can detect, and how many seeds and speakers an effect needs.

For two conditions that were each trained R times and tested on the same S speakers, the standard error of their
difference follows from four standard deviations: between trained models of a condition (``run``), of the speakers'
reaction to the condition (``speaker_condition``), and of a single cell (``residual``); how good speakers are in general
cancels. Formulas: the balanced two-way layout with Satterthwaite's degrees of freedom. Power is simulated from the
mean squares of that layout, which are independent multiples of chi-square variables. Nothing here is the power of a
test that was already made with the effect that it found: that is only another way to write its p value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from ser.errors import InputError

ALPHA, POWER = 0.05, 0.80
DRAWS = 20_000
#: No more speakers or seeds than these are proposed.
MOST_SPEAKERS, MOST_SEEDS = 10_000, 1_000


@dataclass(frozen=True)
class Components:
    """Standard deviations behind a score, all in its unit (0.015 is 1.5 points of UAR).

    Attributes:
        run: between trained models of one condition.
        speaker: between speakers, the same in all conditions; cancels in differences.
        speaker_condition: of the speakers' reaction to a condition.
        residual: of one trained model on one speaker, from clip to clip and otherwise.
        split: part of ``run`` that comes from who trains and who tests; NaN where it was not varied apart.
        initialisation: part of ``run`` that comes from the seed; NaN where it was not varied apart.
        notes: what could not be told apart, in words.
    """

    run: float
    speaker: float = 0.0
    speaker_condition: float = 0.0
    residual: float = 0.0
    split: float = float("nan")
    initialisation: float = float("nan")
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = [name for name in ("run", "speaker", "speaker_condition", "residual") if not getattr(self, name) >= 0]
        if wrong:
            raise InputError(
                f"components: {wrong[0]}={getattr(self, wrong[0])}", expected="a standard deviation, 0 or more"
            )
        if self.run == self.speaker_condition == self.residual == 0:
            raise InputError("components: nothing varies", expected="some standard deviation above 0")


def find_residual(accuracy: float, clips: float) -> float:
    """Standard deviation of the share of correct answers among so many clips."""
    return float(np.sqrt(accuracy * (1 - accuracy) / clips))


# ---- minimal detectable effects


def find_mde(se: float, df: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """The smallest effect that a two-sided test detects with this power: (t(1 - alpha/2) + t(power)) times its SE."""
    return float((stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(power, df)) * se)


def plan_contrast(components: Components, speakers: int, seeds: int, conditions: int = 2) -> tuple[float, float]:
    """Standard error and degrees of freedom of the difference of two conditions.

    Args:
        components: standard deviations.
        speakers: test speakers S, at least 2; 0 for a comparison on fixed test speakers, over seeds only.
        seeds: trained models R of each condition, at least 2.
        conditions: how many there are in all; more of them know the variances better.
    """
    _check_size(components, speakers, seeds)
    if not speakers:
        return components.run * np.sqrt(2 / seeds), conditions * (seeds - 1.0)
    noise = components.residual**2 / (speakers * seeds)
    trained, reacting = components.run**2 / seeds + noise, components.speaker_condition**2 / speakers
    if seeds == 1:  # a t test over paired speakers
        return float(np.sqrt(2 * (trained + reacting))), (conditions - 1.0) * (speakers - 1)
    spread = trained**2 / (conditions * (seeds - 1)) + reacting**2 / ((conditions - 1) * (speakers - 1))
    return float(np.sqrt(2 * (trained + reacting))), float((trained + reacting) ** 2 / spread)


def tabulate_plan(
    components: Components,
    speakers: Sequence[int],
    seeds: Sequence[int],
    effect: float | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
    draws: int = DRAWS,
) -> pd.DataFrame:
    """One row per number of speakers and seeds: ``speakers``, ``seeds``, ``se``, ``df``, ``mde``.

    With an ``effect`` also ``power``, by simulation, and ``enough``.
    """
    rows = []
    for people in speakers:
        for repeats in seeds:
            se, df = plan_contrast(components, people, repeats)
            # Over seeds only it is a t test of two groups, whose power is known exactly.
            exact = people == 0
            mde = components.run * find_mde_t(repeats, power, alpha=alpha) if exact else find_mde(se, df, alpha, power)
            row = {"speakers": people, "seeds": repeats, "se": se, "df": df, "mde": mde}
            if effect is not None:
                found = simulate_power(components, people, repeats, effect, alpha, draws)
                row |= {"power": found, "enough": found >= power}
            rows.append(row)
    return pd.DataFrame(rows)


# ---- simulation


def simulate_power(
    components: Components,
    speakers: int,
    seeds: int,
    effect: float,
    alpha: float = ALPHA,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """Share of simulated experiments whose mixed model finds the difference of two conditions.

    The model is that of cells with speaker, speaker x condition and run; a variance estimated at 0 leaves the
    standard error, as it does in a fitted model. Monte-Carlo error: at most 0.0035 with the default draws.
    """
    _check_size(components, speakers, seeds)
    if not speakers:
        return power_t(seeds, effect / components.run, alpha=alpha)
    rng = np.random.default_rng(seed)
    R, S = seeds, speakers
    noise = components.residual**2
    df = np.array([2 * (R - 1), S - 1, 2 * (R - 1) * (S - 1)], dtype=float)
    expected = np.array([S * components.run**2 + noise, R * components.speaker_condition**2 + noise, noise])
    true = 2 * (expected[0] + expected[1] - expected[2]) / (R * S)
    found = rng.normal(effect, np.sqrt(true), draws)
    if R == 1:
        squares = expected[1] * rng.chisquare(df[1], draws) / df[1]
        return _count_found(found, 2 * squares / S, np.full(draws, df[1]), alpha)
    squares = expected * rng.chisquare(df, (draws, 3)) / df
    variance, freedom = combine_squares(squares, df)
    return _count_found(found, 2 * variance / (R * S), freedom, alpha)


def combine_squares(squares: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of a condition's mean, times R S / 2, and its degrees of freedom.

    Args:
        squares: mean squares [N, 3] of runs, of speaker x condition, of the residual.
        df: their degrees of freedom [3].
    """
    run, reacting, noise = squares.T
    whole = squares * df
    without_run = run <= noise
    without_speaker = reacting <= noise
    pooled_run = (whole[:, 0] + whole[:, 2]) / (df[0] + df[2])  # the residual where runs do not differ
    pooled_speaker = (whole[:, 1] + whole[:, 2]) / (df[1] + df[2])
    pooled = whole.sum(1) / df.sum()
    both = (
        without_run & without_speaker
        | (without_run & (reacting <= pooled_run))
        | (without_speaker & (run <= pooled_speaker))
    )
    variance = np.select([both, without_run, without_speaker], [pooled, reacting, run], run + reacting - noise)
    # Satterthwaite: of a sum, its square over the sum of the parts' squares, each over its degrees of freedom
    spread = (squares**2 / df).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = (run + reacting - noise) ** 2 / spread
    freedom = np.select([both, without_run, without_speaker], [df.sum(), df[1], df[0]], sums)
    return variance, freedom


def find_seeds(
    components: Components, speakers: int, effect: float, power: float = POWER, alpha: float = ALPHA
) -> int | None:
    """Trained models of each condition that the effect needs on so many speakers; None where no number is enough."""
    return _find_least(lambda n: simulate_power(components, speakers, n, effect, alpha) >= power, 2, MOST_SEEDS)


def find_speakers(
    components: Components, seeds: int, effect: float, power: float = POWER, alpha: float = ALPHA
) -> int | None:
    """Test speakers that the effect needs with so many seeds; None where no number is enough."""
    return _find_least(lambda n: simulate_power(components, n, seeds, effect, alpha) >= power, 2, MOST_SPEAKERS)


# ---- power of single tests


def power_t(n: float, effect: float, paired: bool = False, alpha: float = ALPHA) -> float:
    """Power of a two-sided t test, both tails counted.

    Args:
        n: observations of each group, or pairs.
        effect: difference of means in standard deviations (of the differences, if paired).
        paired: whether observations come in pairs.
        alpha: level of the test.
    """
    df = n - 1 if paired else 2 * (n - 1)
    shift = abs(effect) * np.sqrt(n if paired else n / 2)
    bound = stats.t.isf(alpha / 2, df)
    return float(stats.nct.sf(bound, df, shift) + stats.nct.cdf(-bound, df, shift))


def find_n(effect: float, power: float = POWER, paired: bool = False, alpha: float = ALPHA) -> float:
    """Observations of each group (or pairs) for a t test; round up."""
    return _solve(lambda n: power_t(n, effect, paired, alpha) - power, 2)


def find_mde_t(n: float, power: float = POWER, paired: bool = False, alpha: float = ALPHA) -> float:
    """Smallest effect, in standard deviations, that a t test detects with this power."""
    return _solve(lambda effect: power_t(n, effect, paired, alpha) - power, 0.01)


def power_f(df: float, df_resid: float, noncentrality: float, alpha: float = ALPHA) -> float:
    """Power of an F test. Its noncentrality is f² n for n rows, f² (df + df_resid + 1) in a linear model."""
    return float(stats.ncf.sf(stats.f.isf(alpha, df, df_resid), df, df_resid, noncentrality))


def find_mde_f2(df: float, df_resid: float, power: float = POWER, alpha: float = ALPHA) -> float:
    """Smallest f² (explained over residual variance) that a term of a linear model is detected with."""
    rows = df + df_resid + 1
    return _solve(lambda f2: power_f(df, df_resid, f2 * rows, alpha) - power, 1e-6)


def find_n_anova(groups: int, f: float, power: float = POWER, alpha: float = ALPHA) -> float:
    """Rows of each of so many groups for a one-way analysis of variance with effect size f; round up."""

    def miss(n: float) -> float:
        return power_f(groups - 1, groups * (n - 1), f**2 * groups * n, alpha) - power

    return _solve(miss, 2)


def _count_found(difference: np.ndarray, variance: np.ndarray, df: np.ndarray, alpha: float) -> float:
    p = 2 * stats.t.sf(np.abs(difference) / np.sqrt(variance), df)
    return float((p < alpha).mean())


def _solve(miss: Callable[[float], float], low: float) -> float:
    """Where a rising function crosses 0; searched upwards, since tails of far noncentral distributions are NaN."""
    if miss(low) >= 0:
        return low
    high = 2 * low
    while miss(high) < 0:
        low, high = high, 2 * high
    return float(optimize.brentq(miss, low, high, xtol=1e-12, rtol=1e-12))


def _find_least(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The least number that is enough, by doubling and halving."""
    top = low
    while not enough(top):
        if top == high:
            return None
        low, top = top + 1, min(2 * top, high)
    while low < top:
        middle = (low + top) // 2
        if enough(middle):
            top = middle
        else:
            low = middle + 1
    return top


def _check_size(components: Components, speakers: int, seeds: int) -> None:
    if speakers and speakers < 2:
        raise InputError(f"speakers={speakers}", expected="two or more, or 0 for fixed test speakers")
    if seeds < 2 and (components.run > 0 or not speakers):
        raise InputError(
            f"seeds={seeds}: one trained model a condition does not tell its own chance", expected="two or more"
        )
    if not speakers and components.run == 0:
        raise InputError("components: run=0, so that seeds alone tell nothing", expected="speakers, or run above 0")
