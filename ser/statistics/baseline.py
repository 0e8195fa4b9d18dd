"""Every level of a factor against one baseline, from the scores of independent runs.

For a fitted model use :func:`ser.statistics.means.contrast_baseline`, which knows the other factors and the random
effects; this is for plain samples, and for the Mann–Whitney comparison of published studies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ser.errors import InputError
from ser.statistics.adjust import adjust_dunnett, adjust_p, find_critical
from ser.statistics.records import Record

MANN_WHITNEY_WARNING = (
    "Mann–Whitney takes runs as independent samples: it ignores shared seeds, folds, test speakers and all other"
    " factors, and says nothing on new speakers; it is offered to compare with published tables"
)
DUNNETT_NOTE = "Dunnett's test takes runs as independent with equal variance; it says nothing on new speakers"


@dataclass(frozen=True)
class BaselineTest(Record):
    """One level against the baseline; every difference is level minus baseline.

    ``stat`` is t (Dunnett) or U, the number of pairs of runs in which the level wins; ``probability`` is the share of
    such pairs, ties counted half. ``p_greater`` and ``p_less`` are the one-sided p of Mann–Whitney, unadjusted.
    """

    contrast: str
    level: str
    estimate: float
    median_difference: float
    n: int
    n_baseline: int
    stat: float
    df: float
    p: float
    p_adjusted: float
    ci: tuple[float, float]
    probability: float
    p_greater: float
    p_less: float


@dataclass(frozen=True)
class BaselineReport(Record):
    """All levels against the baseline; ``adjust`` says how the p values (and Dunnett's intervals) are adjusted."""

    baseline: str
    method: str
    adjust: str
    tests: list[BaselineTest]
    notes: tuple[str, ...]


def compare_baseline(
    samples: Mapping[str, np.ndarray],
    baseline: str,
    method: str = "dunnett",
    adjust: str = "holm",
    level: float = 0.95,
) -> BaselineReport:
    """Compare the scores [N] of every other level with those of the baseline.

    Args:
        samples: level -> scores of its runs; different numbers of runs are fine.
        baseline: one of the levels.
        method: ``dunnett`` (t tests with a common variance, adjusted jointly) or ``mann-whitney``.
        adjust: adjustment of Mann–Whitney's p: holm, bh, bonferroni, none, …
        level: of Dunnett's joint intervals.

    Raises:
        InputError: an unknown baseline or method, a missing score, a level without runs.
    """
    values = {str(name): np.asarray(scores, dtype=float) for name, scores in samples.items()}
    if baseline not in values or len(values) < 2:
        raise InputError(f"no baseline {baseline} to compare with", expected=f"one of {', '.join(values)}")
    for name, scores in values.items():
        if not len(scores) or not np.isfinite(scores).all():
            raise InputError(f"{name} has no score, or a missing one", remedy="leave it out")
    base = values.pop(baseline)
    if method == "dunnett":
        return _compare_dunnett(values, base, baseline, level)
    if method == "mann-whitney":
        return _compare_mann_whitney(values, base, baseline, adjust)
    raise InputError(f"unknown method {method}", expected="dunnett or mann-whitney")


def _compare_dunnett(values: Mapping[str, np.ndarray], base: np.ndarray, baseline: str, level: float) -> BaselineReport:
    """Dunnett's test with the variance pooled over all levels."""
    sizes = np.array([len(scores) for scores in values.values()])
    df = len(base) + sizes.sum() - len(sizes) - 1
    if df < 1:
        raise InputError("one run per level leaves no spread to test with", remedy="run more seeds")
    squares = sum(((scores - scores.mean()) ** 2).sum() for scores in (base, *values.values()))
    gaps = np.array([scores.mean() - base.mean() for scores in values.values()])
    # Covariance of the differences: the baseline is in all of them.
    shape = np.diag(1 / sizes) + 1 / len(base)
    se = np.sqrt(squares / df * np.diag(shape))
    correlation = shape / np.sqrt(np.outer(np.diag(shape), np.diag(shape)))
    t = np.divide(gaps, se, out=np.full_like(gaps, np.nan), where=se > 0)
    dfs = np.full(len(gaps), float(df))
    p, adjusted = 2 * stats.t.sf(np.abs(t), df), np.full(len(gaps), np.nan)
    notes = [DUNNETT_NOTE]
    if (se > 0).all():
        adjusted = adjust_dunnett(t, dfs, correlation)
    else:
        notes.append("runs of one level give identical scores: no test is possible")
    half = find_critical("dunnett", dfs, level, len(gaps) + 1, len(gaps), correlation) * se
    tests = [
        BaselineTest(
            contrast=f"{name} - {baseline}",
            level=name,
            estimate=float(gaps[i]),
            median_difference=float(np.median(scores) - np.median(base)),
            n=len(scores),
            n_baseline=len(base),
            stat=float(t[i]),
            df=float(df),
            p=float(p[i]),
            p_adjusted=float(adjusted[i]),
            ci=(float(gaps[i] - half[i]), float(gaps[i] + half[i])),
            probability=_count_wins(scores, base),
            p_greater=float("nan"),
            p_less=float("nan"),
        )
        for i, (name, scores) in enumerate(values.items())
    ]
    return BaselineReport(baseline, "dunnett", "dunnett", tests, tuple(notes))


def _compare_mann_whitney(
    values: Mapping[str, np.ndarray], base: np.ndarray, baseline: str, adjust: str
) -> BaselineReport:
    """Mann–Whitney tests (exact for up to 8 runs without ties), two-sided and both one-sided."""
    sides = ("two-sided", "greater", "less")
    results = [[stats.mannwhitneyu(scores, base, alternative=side) for side in sides] for scores in values.values()]
    adjusted = adjust_p(np.array([two.pvalue for two, _, _ in results]), adjust)
    nan = float("nan")
    tests = [
        BaselineTest(
            contrast=f"{name} - {baseline}",
            level=name,
            estimate=float(scores.mean() - base.mean()),
            median_difference=float(np.median(scores) - np.median(base)),
            n=len(scores),
            n_baseline=len(base),
            stat=float(two.statistic),
            df=nan,
            p=float(two.pvalue),
            p_adjusted=float(p),
            ci=(nan, nan),
            probability=_count_wins(scores, base),
            p_greater=float(greater.pvalue),
            p_less=float(less.pvalue),
        )
        for (name, scores), (two, greater, less), p in zip(values.items(), results, adjusted, strict=True)
    ]
    return BaselineReport(baseline, "mann-whitney", adjust, tests, (MANN_WHITNEY_WARNING,))


def _count_wins(scores: np.ndarray, base: np.ndarray) -> float:
    """Share of pairs in which a run of the level beats one of the baseline, ties counted half."""
    gaps = scores[:, None] - base
    return float(((gaps > 0) + (gaps == 0) / 2).mean())
