"""Scores of a classifier, all computed from confusion counts, with intervals over speakers.

UAR is the unweighted mean of the per-class recalls (Schuller et al., 2009), WA the share of clips recognised. Rows of a
confusion matrix are true classes. Intervals resample speakers, because clips of one speaker are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

Statistic = Callable[[np.ndarray], np.ndarray]


def count_confusions(true: Iterable[str], predicted: Iterable[str], emotions: Sequence[str]) -> np.ndarray:
    """Confusion counts [K, K], rows true, columns predicted, in the order of ``emotions``."""
    true = list(true)
    return count_by_group(true, predicted, ["all"] * len(true), emotions)[0]


def count_by_group(
    true: Iterable[str], predicted: Iterable[str], groups: Iterable[str], emotions: Sequence[str]
) -> np.ndarray:
    """Confusion counts [G, K, K] of each group (a speaker, say), groups sorted by name."""
    place = {emotion: index for index, emotion in enumerate(emotions)}
    names, group = np.unique(np.asarray(list(groups), dtype=str), return_inverse=True)
    counts = np.zeros((len(names), len(place), len(place)), dtype=np.int64)
    rows, columns = (np.array([place[emotion] for emotion in side], dtype=int) for side in (true, predicted))
    np.add.at(counts, (group, rows, columns), 1)
    return counts


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Recall of each class [..., K] from counts [..., K, K]; NaN for a class that has no clip."""
    support = confusion.sum(-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.divide(hits, support, out=np.full(hits.shape, np.nan), where=support > 0)


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall over the classes that have clips, [...] from [..., K, K]."""
    recall = recalls(confusion)
    present = ~np.isnan(recall)
    return _divide(np.where(present, recall, 0).sum(-1), present.sum(-1))


def wa(confusion: np.ndarray) -> np.ndarray:
    """Weighted accuracy: the share of clips recognised, [...] from [..., K, K]."""
    return _divide(np.diagonal(confusion, axis1=-2, axis2=-1).sum(-1), confusion.sum((-2, -1)))


def f1_macro(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur among true or predicted labels, [...] from [..., K, K]."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    named = confusion.sum(-1) + confusion.sum(-2)
    scores = np.divide(2.0 * hits, named, out=np.zeros(hits.shape), where=named > 0)
    return _divide(scores.sum(-1), (named > 0).sum(-1))


def resample_groups(counts: np.ndarray, draws: int = 2000, seed: int = 0) -> np.ndarray:
    """Confusion counts [draws, K, K] of bootstrap samples of whole groups, from counts [G, K, K]."""
    groups = len(counts)
    weights = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=draws)
    return np.tensordot(weights, counts, axes=(1, 0))


def find_interval(statistic: Statistic, counts: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a statistic over resampled groups; NaN with fewer than two groups."""
    if len(counts) < 2:
        return float("nan"), float("nan")
    values = statistic(resample_groups(counts))
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def score(predictions: pd.DataFrame, prefix: str, by: Sequence[str] = ("gender",)) -> dict[str, float]:
    """All scores of one evaluation set, named ``<prefix>/uar`` and so on.

    Args:
        predictions: columns ``true``, ``predicted``, ``speaker`` and those of ``by``.
        prefix: ``test``, ``val``.
        by: columns whose levels are scored separately (``<prefix>/gender/female/uar``).

    Returns:
        ``uar`` and ``wa`` with ``_ci_low`` and ``_ci_high`` (95 %, resampling speakers; NaN with one speaker),
        ``f1_macro``, ``recall/<emotion>``, ``n_clips``, ``n_speakers``, and UAR, WA and clips of each level of ``by``.
    """
    emotions = sorted(set(predictions["true"]) | set(predictions["predicted"]))
    counts = count_by_group(predictions["true"], predictions["predicted"], predictions["speaker"], emotions)
    total = counts.sum(0)
    scores: dict[str, float] = {}
    for name, statistic in (("uar", uar), ("wa", wa)):
        low, high = find_interval(statistic, counts)
        scores |= {name: float(statistic(total)), f"{name}_ci_low": low, f"{name}_ci_high": high}
    scores["f1_macro"] = float(f1_macro(total))
    recall = dict(zip(emotions, recalls(total), strict=True))
    scores |= {f"recall/{emotion}": float(value) for emotion, value in recall.items() if not np.isnan(value)}
    scores |= {"n_clips": float(len(predictions)), "n_speakers": float(len(counts))}
    for column in by:
        table = score_levels(predictions, column)
        scores |= {
            f"{column}/{level}/{name}": float(value) for level, row in table.iterrows() for name, value in row.items()
        }
    return {f"{prefix}/{name}": value for name, value in scores.items()}


def score_sets(sets: Mapping[str, pd.DataFrame], prefix: str, by: Sequence[str]) -> dict[str, float]:
    """Scores of several evaluation sets, each under its own name, and their unweighted means under ``prefix``.

    Args:
        sets: name (``test``, ``test/emodb``) → predictions.
        prefix: of the means.
        by: columns whose levels are scored separately.

    Returns:
        The scores of the only set, or those of each set and the means of UAR (with an interval that resamples the
        speakers of every set), WA and F1.
    """
    scores = {name: value for label, table in sets.items() for name, value in score(table, label, by).items()}
    if list(sets) == [prefix]:
        return scores
    for statistic in ("uar", "wa", "f1_macro"):
        scores[f"{prefix}/{statistic}"] = float(np.mean([scores[f"{label}/{statistic}"] for label in sets]))
    low, high = find_mean_interval(uar, [count_by_speaker(table) for table in sets.values()])
    return scores | {f"{prefix}/uar_ci_low": low, f"{prefix}/uar_ci_high": high}


def find_mean_interval(statistic: Statistic, sets: Sequence[np.ndarray], level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a statistic's mean over sets whose groups are resampled independently."""
    if any(len(counts) < 2 for counts in sets):
        return float("nan"), float("nan")
    draws = [statistic(resample_groups(counts, seed=place)) for place, counts in enumerate(sets)]
    low, high = np.nanquantile(np.mean(draws, axis=0), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def count_by_speaker(predictions: pd.DataFrame) -> np.ndarray:
    """Confusion counts [S, K, K] of each speaker."""
    emotions = sorted(set(predictions["true"]) | set(predictions["predicted"]))
    return count_by_group(predictions["true"], predictions["predicted"], predictions["speaker"], emotions)


def score_levels(predictions: pd.DataFrame, column: str) -> pd.DataFrame:
    """UAR, WA and clips (columns) of each level of a column (rows); clips without a level are left out."""
    known = predictions[predictions[column].notna()]
    groups = known[column].astype(str)
    emotions = sorted(set(known["true"]) | set(known["predicted"]))
    counts = count_by_group(known["true"], known["predicted"], groups, emotions)
    levels = pd.Index(sorted(groups.unique()), name=column)
    return pd.DataFrame({"uar": uar(counts), "wa": wa(counts), "n_clips": counts.sum((-2, -1))}, index=levels)


def tabulate_confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Confusion counts with names: rows are true emotions, columns predicted ones."""
    emotions = sorted(set(predictions["true"]) | set(predictions["predicted"]))
    counts = count_confusions(predictions["true"], predictions["predicted"], emotions)
    return pd.DataFrame(counts, index=pd.Index(emotions, name="true"), columns=pd.Index(emotions, name="predicted"))


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    numerator = np.asarray(numerator, dtype=float)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=np.asarray(denominator) > 0)
