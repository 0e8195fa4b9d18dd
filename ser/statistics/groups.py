"""Gaps between groups of speakers (``statistics.group=gender``), with speakers as units.

The gap of a run is the score of one group minus that of the other, on the same model. Groups differ in their speakers,
so a thousand utterances or a hundred runs do not make six speakers more: p values permute the speakers' group labels,
intervals resample speakers within groups (the same in all runs) and runs within conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import comb, prod

import numpy as np

from ser.errors import InputError
from ser.statistics.adjust import adjust_p
from ser.statistics.bootstrap import find_quantiles
from ser.statistics.records import Record
from ser.statistics.tallies import Tallies, restrict_tallies

#: Label permutations are enumerated up to this number.
ENUMERATE_LABELS = 20_000
#: Numbers held at once while gaps are recomputed.
CHUNK = 1_000_000
#: Statistics closer than this are equal.
ROUNDING = 1e-12


@dataclass(frozen=True)
class GroupGap(Record):
    """Score of ``group_a`` minus that of ``group_b``, averaged over the runs of a condition.

    With two conditions it is the gap in the first minus the gap in the second. ``per_run`` and ``sd_runs`` describe the
    runs of one condition; ``smallest_p`` is what the permutation can reach with so many speakers.
    """

    condition: str
    versus: str | None
    group_a: str
    group_b: str
    estimate: float
    ci: tuple[float, float]
    p: float
    p_adjusted: float
    exact: bool
    n_permutations: int
    smallest_p: float
    n_speakers_a: int
    n_speakers_b: int
    n_runs: int
    score_a: float
    score_b: float
    per_run: dict[str, float]
    sd_runs: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class GroupReport(Record):
    """Gaps within every condition and differences of gaps between conditions; Holm within each of the two families."""

    group: str
    metric: str
    within: list[GroupGap]
    between: list[GroupGap]
    notes: tuple[str, ...]


def compare_groups(
    tallies: Tallies, group: str, metric: str, draws: int = 5000, seed: int = 0, level: float = 0.95
) -> GroupReport:
    """Gaps of all pairs of groups within each condition, and their differences between conditions.

    Raises:
        InputError: fewer than two groups.
    """
    names = sorted(set(tallies.groups))
    if len(names) < 2:
        raise InputError(f"{group} has one value ({', '.join(names) or 'none'})", expected="two or more groups")
    conditions = list(dict.fromkeys(tallies.conditions))
    within: list[dict[str, int]] = [{condition: 1} for condition in conditions]
    between = [{one: 1, two: -1} for one, two in combinations(conditions, 2)]
    notes = [f"{tallies.n_dropped} rows without {group} are left out"] if tallies.n_dropped else []

    def measure(family: list[dict[str, int]]) -> list[GroupGap]:
        gaps = []
        for signs in family:
            for pair in combinations(names, 2):
                try:
                    gaps.append(measure_gap(tallies, signs, pair, draws, seed, level))
                except InputError as error:  # a corpus of men only must not hide the other corpora
                    notes.append(str(error))
        return _adjust(gaps)

    gaps, differences = measure(within), measure(between)
    return GroupReport(group, metric, gaps, differences, tuple(dict.fromkeys(notes)))


def measure_gap(
    tallies: Tallies,
    signs: Mapping[str, int],
    pair: tuple[str, str],
    draws: int = 5000,
    seed: int = 0,
    level: float = 0.95,
) -> GroupGap:
    """Gap of two groups in one condition ``{condition: 1}``, or between two ``{first: 1, second: -1}``.

    Args:
        tallies: see :mod:`ser.statistics.tallies`.
        signs: the conditions.
        pair: the two groups; the gap is first minus second.
        draws, seed, level: of the bootstrap and the interval; permutations are enumerated up to 20,000, else sampled.
    """
    tallies = restrict_tallies(tallies, signs, pair)
    in_a = tallies.groups == pair[0]
    sizes = int(in_a.sum()), int((~in_a).sum())
    if not min(sizes):
        raise InputError(f"no speaker of {pair[not sizes[1]]} in {' and '.join(signs)}")
    rng = np.random.default_rng(seed)
    estimate = float(_evaluate(tallies, signs, in_a[None], ~in_a[None])[0])
    if np.isnan(estimate):
        raise InputError(f"no run scores both {pair[0]} and {pair[1]} in {' and '.join(signs)}")
    seen = (tallies.counts.sum(2) > 0).T @ _mark_conditions(tallies, signs)
    strata = np.unique(seen, axis=0, return_inverse=True)[1].ravel()
    labels, exact, smallest = permute_labels(in_a, strata, rng)
    permuted = np.abs(_evaluate(tallies, signs, labels, ~labels))
    # A labelling that leaves some run without a common part counts against the difference.
    extreme = int((~(permuted < abs(estimate) - ROUNDING)).sum())
    p = extreme / len(labels) if exact else (1 + extreme) / (1 + len(labels))
    notes = [] if smallest <= 0.05 else [f"{sizes[0]} and {sizes[1]} speakers: the permutation cannot reach .05"]
    ci = (float("nan"), float("nan"))
    if min(sizes) > 1:
        copies = _resample(rng, strata * 2 + in_a, draws)
        runs = _resample(rng, tallies.conditions, draws)
        values = _evaluate(tallies, signs, copies * in_a, copies * ~in_a, runs)
        values = values[~np.isnan(values)]
        low, high = find_quantiles(values, np.ones(len(values), dtype=int), ((1 - level) / 2, (1 + level) / 2))
        ci = (float(low), float(high))
    else:
        notes.append("a group with one speaker has no interval")
    per_run = _compute_gaps(tallies, in_a[None], ~in_a[None])[0]
    one = len(signs) == 1
    if one and len(per_run) == 1:
        notes.append("one run: the spread between runs is not in the interval")
    return GroupGap(
        condition=next(iter(signs)),
        versus=None if one else list(signs)[1],
        group_a=pair[0],
        group_b=pair[1],
        estimate=estimate,
        ci=ci,
        p=p,
        p_adjusted=p,
        exact=exact,
        n_permutations=len(labels),
        smallest_p=smallest,
        n_speakers_a=sizes[0],
        n_speakers_b=sizes[1],
        n_runs=len(tallies.runs),
        score_a=_score_group(tallies, in_a) if one else float("nan"),
        score_b=_score_group(tallies, ~in_a) if one else float("nan"),
        per_run=dict(zip(tallies.runs, per_run.tolist(), strict=True)) if one else {},
        sd_runs=float(np.nanstd(per_run, ddof=1)) if one and len(per_run) > 1 else float("nan"),
        notes=tuple(notes),
    )


def permute_labels(
    in_a: np.ndarray, strata: np.ndarray, rng: np.random.Generator, draws: int = 9999
) -> tuple[np.ndarray, bool, float]:
    """Group labels [B, S] with the same number of speakers per group within each stratum (0, 1, …) [S].

    Returns:
        The labels (True for the first group), whether they are all there are, and the smallest two-sided p.
    """
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    sizes = [(len(own), int(in_a[own].sum())) for own in members]
    total = prod(comb(size, chosen) for size, chosen in sizes)
    # Exchanging the groups is a permutation too where they are equally large.
    twins = 2 if all(size == 2 * chosen for size, chosen in sizes) else 1
    if total <= ENUMERATE_LABELS:
        labels = np.zeros((total, len(in_a)), dtype=bool)
        choices = product(*(combinations(own, chosen) for own, (_, chosen) in zip(members, sizes, strict=True)))
        for row, parts in zip(labels, choices, strict=True):
            row[[place for part in parts for place in part]] = True
        return labels, True, min(1.0, twins / total)
    labels = np.empty((draws, len(in_a)), dtype=bool)
    for own in members:
        labels[:, own] = rng.permuted(np.tile(in_a[own], (draws, 1)), axis=1)
    return labels, False, max(twins / total, 1 / (1 + draws))


# ---- small things


def _mark_conditions(tallies: Tallies, signs: Mapping[str, int]) -> np.ndarray:
    """Whether each run belongs to each condition [R, C]."""
    return tallies.conditions[:, None] == np.array(list(signs))


def _compute_gaps(tallies: Tallies, in_a: np.ndarray, in_b: np.ndarray) -> np.ndarray:
    """Gap of every run [B, R] when speakers count so often in either group [B, S]; NaN without a common part."""
    runs, speakers, parts = tallies.hits.shape
    shape = (len(in_a), runs, parts)
    hits, counts = (part.transpose(1, 0, 2).reshape(speakers, -1) for part in (tallies.hits, tallies.counts))
    sums = [(weights @ hits, weights @ counts) for weights in (in_a.astype(float), in_b.astype(float))]
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = (sums[0][0] / sums[0][1] - sums[1][0] / sums[1][1]).reshape(shape)
        known = np.isfinite(gaps)
        return np.where(known, gaps, 0.0).sum(2) / known.sum(2)


def _average_gaps(gaps: np.ndarray, runs: np.ndarray, marks: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Signed sum over conditions [B] of the mean gap of their runs [B, R], which count so often [B, R] or [1, R]."""
    known = ~np.isnan(gaps)
    with np.errstate(invalid="ignore"):
        means = ((np.where(known, gaps, 0.0) * runs) @ marks) / ((known * runs) @ marks)
    return means @ signs


def _evaluate(
    tallies: Tallies, signs: Mapping[str, int], in_a: np.ndarray, in_b: np.ndarray, runs: np.ndarray | None = None
) -> np.ndarray:
    """Statistic [B] for weights of speakers [B, S] and runs [B, R], a chunk at a time."""
    marks, direction = _mark_conditions(tallies, signs).astype(float), np.array(list(signs.values()), dtype=float)
    step = max(1, CHUNK // (tallies.hits.shape[0] * tallies.hits.shape[2]))
    values = []
    for start in range(0, len(in_a), step):
        part = slice(start, start + step)
        copies = np.ones((1, len(marks))) if runs is None else runs[part]
        values.append(_average_gaps(_compute_gaps(tallies, in_a[part], in_b[part]), copies, marks, direction))
    return np.concatenate(values)


def _score_group(tallies: Tallies, members: np.ndarray) -> float:
    """Score of one group, averaged over runs."""
    with np.errstate(invalid="ignore"):
        recalls = tallies.hits[:, members].sum(1) / tallies.counts[:, members].sum(1)
    return float(np.nanmean(np.nanmean(recalls, axis=1)))


def _resample(rng: np.random.Generator, labels: np.ndarray, draws: int) -> np.ndarray:
    """How often each unit is drawn within its label [draws, N]."""
    copies = np.zeros((draws, len(labels)))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        copies[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), draws)
    return copies


def _adjust(gaps: list[GroupGap]) -> list[GroupGap]:
    """The gaps with Holm's p over them."""
    adjusted = adjust_p(np.array([gap.p for gap in gaps]), "holm")
    return [replace(gap, p_adjusted=float(p)) for gap, p in zip(gaps, adjusted, strict=True)]
