"""Several models on many data sets: ranks, Friedman and Iman–Davenport, Wilcoxon with Holm, Nemenyi (Demšar 2006).

Data sets are the units. Pairs are decided by Wilcoxon's signed-rank test with Holm's adjustment, since tests on mean
ranks depend on which other models happen to be in the pool (Benavoli, Corani & Mangili 2016); Nemenyi's p and critical
difference are given beside them. Every difference is first minus second model.

Wilcoxon follows R's ``wilcox.test``: data sets on which two models are equal are dropped; p is exact when no difference
is zero, no two are equally large and there are fewer than 50, else from the normal distribution with continuity and tie
correction. Equal means equal as floating-point numbers, as in R.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from ser.errors import InputError
from ser.statistics.adjust import adjust_p
from ser.statistics.records import Record
from ser.statistics.resampled import test_mean

#: Fewer data sets are too few for a rank analysis to be the main one.
FEW_DATASETS = 6


@dataclass(frozen=True)
class Omnibus(Record):
    """Do the models differ at all? Friedman's chi-square and the less conservative F of Iman & Davenport."""

    chisq: float
    df: int
    p: float
    F: float
    df1: int
    df2: int
    p_F: float
    kendall_w: float


@dataclass(frozen=True)
class NemenyiPair(Record):
    """Difference of two mean ranks (negative: ``a`` is better) and Nemenyi's p."""

    a: str
    b: str
    difference: float
    p: float


@dataclass(frozen=True)
class Wilcoxon(Record):
    """Signed-rank test of two models.

    ``V`` is the rank sum of the data sets on which ``a`` scores higher, ``rank_biserial`` (V - V') / (V + V') lies in
    -1 to 1, ``n_used`` leaves out the data sets on which the models are equal; ``t_p`` is the paired t test beside it.
    """

    a: str
    b: str
    V: float
    n_used: int
    p: float
    exact: bool
    rank_biserial: float
    median_difference: float
    mean_difference: float
    t_p: float
    p_holm: float = float("nan")
    different: bool = False


@dataclass(frozen=True)
class RankAnalysis(Record):
    """Everything about K models on N data sets; rank 1 is best.

    ``groups`` holds, best first, the largest sets of models of which no pair differs by the Holm decisions; each is a
    bar of the critical-difference diagram. A bar may span a model that is not in its group: mark the members.
    """

    models: list[str]
    n_datasets: int
    mean_rank: dict[str, float]
    omnibus: Omnibus
    nemenyi: list[NemenyiPair]
    cd_05: float
    cd_10: float
    wilcoxon: list[Wilcoxon]
    alpha: float
    groups: list[list[str]]
    notes: tuple[str, ...]


def analyse_ranks(
    table: pd.DataFrame, models: Sequence[str], higher_is_better: bool = True, alpha: float = 0.05
) -> RankAnalysis:
    """Compare models over data sets.

    Args:
        table: one row per data set, one column of scores per model.
        models: the model columns.
        higher_is_better: whether rank 1 goes to the highest score.
        alpha: level of the Holm decisions.

    Raises:
        InputError: fewer than two models or data sets, a missing score.
    """
    scores = table[list(models)].to_numpy(dtype=float)
    size, count = scores.shape
    if count < 2 or size < 2:
        raise InputError(f"{count} models on {size} data sets", expected="two or more of each")
    if not np.isfinite(scores).all():
        raise InputError("a model has no score on one of the data sets", remedy="leave the data set or the model out")
    ranks = stats.rankdata(-scores if higher_is_better else scores, axis=1)
    mean_rank = ranks.mean(0)
    wilcoxon = compare_signed_ranks(scores, models, alpha)
    return RankAnalysis(
        models=list(models),
        n_datasets=size,
        mean_rank=dict(zip(models, mean_rank.tolist(), strict=True)),
        omnibus=test_ranks(ranks),
        nemenyi=[
            NemenyiPair(models[i], models[j], float(mean_rank[i] - mean_rank[j]), p)
            for (i, j), p in find_nemenyi_p(mean_rank, size).items()
        ],
        cd_05=find_critical_difference(count, size, 0.05),
        cd_10=find_critical_difference(count, size, 0.10),
        wilcoxon=wilcoxon,
        alpha=alpha,
        groups=group_models([models[place] for place in np.argsort(mean_rank, kind="stable")], wilcoxon),
        notes=_list_notes(size, len(wilcoxon), alpha),
    )


def test_ranks(ranks: np.ndarray) -> Omnibus:
    """Friedman and Iman–Davenport tests and Kendall's W of ranks [N, K] within data sets, corrected for ties."""
    size, count = ranks.shape
    _, repeats = np.unique(
        np.column_stack([np.repeat(np.arange(size), count), ranks.ravel()]), axis=0, return_counts=True
    )
    ties = float((repeats**3 - repeats).sum())
    spread = size * count * (count + 1) - ties / (count - 1)
    df1, df2 = count - 1, (count - 1) * (size - 1)
    if spread <= 0:  # all models are equal on every data set
        return Omnibus(0.0, df1, 1.0, 0.0, df1, df2, 1.0, 0.0)
    chisq = float(12 * ((ranks.sum(0) - size * (count + 1) / 2) ** 2).sum() / spread)
    rest = size * df1 - chisq
    value = (size - 1) * chisq / rest if rest > 1e-9 * chisq else float("inf")
    return Omnibus(
        chisq=chisq,
        df=df1,
        p=float(stats.chi2.sf(chisq, df1)),
        F=value,
        df1=df1,
        df2=df2,
        p_F=float(stats.f.sf(value, df1, df2)),
        kendall_w=chisq / (size * df1),
    )


def find_nemenyi_p(mean_rank: np.ndarray, datasets: int) -> dict[tuple[int, int], float]:
    """Nemenyi's p of all pairs of K mean ranks over N data sets, by the studentized range."""
    count = len(mean_rank)
    se = np.sqrt(count * (count + 1) / (6 * datasets))
    return {
        (i, j): float(stats.studentized_range.sf(np.sqrt(2) * abs(mean_rank[i] - mean_rank[j]) / se, count, np.inf))
        for i, j in combinations(range(count), 2)
    }


def find_critical_difference(models: int, datasets: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of two mean ranks."""
    bound = float(stats.studentized_range.ppf(1 - alpha, models, np.inf)) / np.sqrt(2)
    return float(bound * np.sqrt(models * (models + 1) / (6 * datasets)))


def compare_signed_ranks(scores: np.ndarray, models: Sequence[str], alpha: float = 0.05) -> list[Wilcoxon]:
    """Wilcoxon tests of all pairs of models by their scores [N, K], with Holm's adjustment over the pairs."""
    tests = [
        test_signed_ranks(scores[:, i] - scores[:, j], (models[i], models[j]))
        for i, j in combinations(range(len(models)), 2)
    ]
    adjusted = adjust_p(np.array([test.p for test in tests]), "holm")
    return [
        Wilcoxon(**{**vars(test), "p_holm": float(p), "different": bool(p < alpha)})
        for test, p in zip(tests, adjusted, strict=True)
    ]


def test_signed_ranks(differences: np.ndarray, names: tuple[str, str] = ("a", "b")) -> Wilcoxon:
    """Wilcoxon's signed-rank test of differences [N], two-sided (see the module for zeros and ties)."""
    differences = np.asarray(differences, dtype=float)
    used = differences[differences != 0]
    size = len(used)
    ranks = stats.rankdata(np.abs(used))
    value = float(ranks[used > 0].sum())
    exact = 0 < size == len(differences) < 50 and len(np.unique(np.abs(used))) == size
    if not size:
        p = 1.0
    elif exact:
        p = _find_exact_p(value, size)
    else:
        p = _find_normal_p(value, ranks)
    total = size * (size + 1) / 2
    return Wilcoxon(
        *names,
        V=value,
        n_used=size,
        p=p,
        exact=exact,
        rank_biserial=2 * value / total - 1 if size else 0.0,
        median_difference=float(np.median(differences)),
        mean_difference=float(differences.mean()),
        t_p=test_mean(differences).p if len(differences) > 1 else float("nan"),
    )


def group_models(ordered: Sequence[str], tests: Sequence[Wilcoxon]) -> list[list[str]]:
    """Largest sets of two or more models without a different pair; models and sets in the given order."""
    apart = {frozenset((test.a, test.b)) for test in tests if test.different}
    near = {
        model: {other for other in ordered if other != model and frozenset((model, other)) not in apart}
        for model in ordered
    }
    place = {model: index for index, model in enumerate(ordered)}
    found: list[list[str]] = []

    def extend(members: set[str], candidates: set[str], done: set[str]) -> None:
        # Bron & Kerbosch (1973)
        if not candidates and not done and len(members) > 1:
            found.append(sorted(members, key=place.__getitem__))
        for model in sorted(candidates, key=place.__getitem__):
            extend(members | {model}, candidates & near[model], done & near[model])
            candidates, done = candidates - {model}, done | {model}

    extend(set(), set(ordered), set())
    return sorted(found, key=lambda group: [place[model] for model in group])


# ---- small things


def _find_exact_p(value: float, size: int) -> float:
    """Two-sided p of a rank sum of ``size`` untied differences, over all 2^size signs."""
    ways = np.ones(1)
    for rank in range(1, size + 1):
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    lower = min(value, size * (size + 1) / 2 - value)
    return float(min(1.0, 2 * ways[: round(lower) + 1].sum() / 2.0**size))


def _find_normal_p(value: float, ranks: np.ndarray) -> float:
    """Two-sided p of a rank sum from the normal distribution, with continuity and tie correction."""
    size = len(ranks)
    _, repeats = np.unique(ranks, return_counts=True)
    sd = np.sqrt(size * (size + 1) * (2 * size + 1) / 24 - (repeats**3 - repeats).sum() / 48)
    gap = abs(value - size * (size + 1) / 4)
    return float(min(1.0, 2 * stats.norm.sf((gap - 0.5 * (gap > 0)) / sd)))


def _list_notes(datasets: int, pairs: int, alpha: float) -> tuple[str, ...]:
    """What the number of data sets does not allow."""
    notes = []
    if datasets < FEW_DATASETS:
        notes.append(f"{datasets} data sets are too few for ranks; model the data set as a fixed factor instead")
    smallest = 2.0 ** (1 - datasets)
    if smallest * pairs >= alpha:
        notes.append(
            f"with {datasets} data sets Wilcoxon's p is at least {smallest:.2g}, times {pairs} pairs by Holm:"
            f" no single pair can reach {alpha:g}"
        )
    return tuple(notes)
