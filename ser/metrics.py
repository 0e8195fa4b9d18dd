"""Scores of a classifier, all computed from confusion counts, with intervals over speakers.

UAR is the unweighted mean of the per-class recalls (Schuller et al., 2009), WA the share of clips recognised. Rows of a
confusion matrix are true classes. Intervals resample speakers, because clips of one speaker are not independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

NO_INTERVAL = (float("nan"), float("nan"))
#: Samples of a bootstrap.
DRAWS = 2000
#: Share of samples drawn anew above which results say so; two speakers of many for a class make it 13 %, three 5 %.
FEW = 0.05
#: There is no interval where fewer samples than one in so many hold every class.
MOST_ROUNDS = 20


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


def resample_groups(counts: np.ndarray, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Confusion counts [draws, K, K] of bootstrap samples of whole groups, from counts [G, K, K]."""
    return np.tensordot(_draw_groups(len(counts), draws, np.random.default_rng(seed)), counts, axes=(1, 0))


def resample_classes(counts: np.ndarray, draws: int = DRAWS, seed: int = 0) -> tuple[np.ndarray, float]:
    """Bootstrap samples of whole groups in which every class occurs, and the share of samples drawn anew for that.

    The samples are those of :func:`resample_groups` where none lacks a class.

    Args:
        counts: [G, K, K].
        draws: number of samples.
        seed: of the samples.

    Returns:
        Confusion counts [draws, K, K], fewer where nearly all samples lack a class, and the share.
    """
    shown = counts.sum(-1) > 0
    shown = shown[:, shown.any(axis=0)].astype(np.int64)
    rng = np.random.default_rng(seed)
    kept: list[np.ndarray] = []
    number = 0
    while number < draws and len(kept) < MOST_ROUNDS:
        weights = _draw_groups(len(counts), draws, rng)
        kept.append(weights[(weights @ shown > 0).all(axis=1)])
        number += len(kept[-1])
    weights = np.concatenate(kept)[:draws]
    return np.tensordot(weights, counts, axes=(1, 0)), 1 - number / (len(kept) * draws)


def find_interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a statistic's values [draws]."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def find_wa_interval(counts: np.ndarray) -> tuple[float, float]:
    """Interval of WA over resampled speakers, from counts [S, K, K]; NaN with one speaker."""
    return find_interval(wa(resample_groups(counts))) if len(counts) > 1 else NO_INTERVAL


def find_uar_interval(sets: Sequence[np.ndarray]) -> tuple[float, float]:
    """Interval of UAR, mean over sets [S, K, K] each, whose speakers are resampled independently.

    UAR is a mean over the classes of the set. A sample of speakers who do not show one of them has no such mean: over
    the classes that are left it measures something else, which is higher where the absent class is a hard one. Such
    samples are drawn anew, so the interval is that of a bootstrap given that every class occurs. Where one speaker
    alone shows a class, all samples would hold the same clips of it: how speakers differ in it cannot be known, and
    the interval is NaN, as it is with one speaker.
    """
    if any(len(counts) < 2 or (count_showing(counts) == 1).any() for counts in sets):
        return NO_INTERVAL
    samples = [resample_classes(counts, seed=place)[0] for place, counts in enumerate(sets)]
    if any(len(sample) < DRAWS for sample in samples):
        return NO_INTERVAL
    return find_interval(np.mean([uar(sample) for sample in samples], axis=0))


def count_showing(counts: np.ndarray) -> np.ndarray:
    """How many groups have clips of each class [K], from counts [G, K, K]."""
    return (counts.sum(-1) > 0).sum(0)


def explain_interval(predictions: pd.DataFrame) -> str:
    """What a reader must know of the interval of UAR where few speakers show a class; empty where enough do."""
    counts = count_by_speaker(predictions)
    showing = dict(zip(list_classes(predictions), count_showing(counts).tolist(), strict=True))
    lone = [emotion for emotion, number in showing.items() if number == 1]
    if len(counts) < 2:
        return ""
    if lone:
        return f"UAR has no interval, because one speaker alone shows {', '.join(lone)}"
    samples, share = resample_classes(counts)
    if share <= FEW:
        return ""
    rare = sorted((number, emotion) for emotion, number in showing.items() if number)[:3]
    few = ", ".join(f"{emotion} {number} of {len(counts)}" for number, emotion in rare)
    reason = f"{share:.0%} of the samples of speakers lacked a class, because few speakers show some: {few}"
    return f"UAR has {'no' if len(samples) < DRAWS else 'too narrow an'} interval: {reason}"


def score(predictions: pd.DataFrame, prefix: str, by: Sequence[str] = ("gender",)) -> dict[str, float]:
    """All scores of one evaluation set, named ``<prefix>/uar`` and so on.

    Args:
        predictions: columns ``clip``, ``true``, ``predicted``, ``speaker`` and those of ``by``.
        prefix: ``test``, ``val``.
        by: columns whose levels are scored separately (``<prefix>/gender/female/uar``).

    Returns:
        ``uar`` and ``wa`` with ``_ci_low`` and ``_ci_high`` (95 %, resampling speakers; NaN with one speaker, for UAR
        also where one alone shows a class), ``f1_macro``, ``recall/<emotion>``, ``n_clips``, ``n_predictions`` (more
        where several folds test a clip), ``n_speakers``, and UAR, WA and clips of each level of ``by``.
    """
    emotions = list_classes(predictions)
    counts = count_by_speaker(predictions)
    total = counts.sum(0)
    scores: dict[str, float] = {}
    for name, statistic, (low, high) in (
        ("uar", uar, find_uar_interval([counts])),
        ("wa", wa, find_wa_interval(counts)),
    ):
        scores |= {name: float(statistic(total)), f"{name}_ci_low": low, f"{name}_ci_high": high}
    scores["f1_macro"] = float(f1_macro(total))
    recall = dict(zip(emotions, recalls(total), strict=True))
    scores |= {f"recall/{emotion}": float(value) for emotion, value in recall.items() if not np.isnan(value)}
    scores |= count_rows(predictions)
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
    low, high = find_uar_interval([count_by_speaker(table) for table in sets.values()])
    return scores | {f"{prefix}/uar_ci_low": low, f"{prefix}/uar_ci_high": high}


def count_rows(predictions: pd.DataFrame) -> dict[str, float]:
    """Clips, predictions of them (those of several folds' models all count) and speakers of a table."""
    clips, speakers = (float(predictions[column].nunique()) for column in ("clip", "speaker"))
    return {"n_clips": clips, "n_predictions": float(len(predictions)), "n_speakers": speakers}


def list_classes(predictions: pd.DataFrame) -> list[str]:
    """The emotions among true and predicted ones, sorted."""
    return sorted(set(predictions["true"]) | set(predictions["predicted"]))


def count_by_speaker(predictions: pd.DataFrame) -> np.ndarray:
    """Confusion counts [S, K, K] of each speaker, in the order of :func:`list_classes`."""
    emotions = list_classes(predictions)
    return count_by_group(predictions["true"], predictions["predicted"], predictions["speaker"], emotions)


def score_levels(predictions: pd.DataFrame, column: str) -> pd.DataFrame:
    """UAR, WA and clips (columns) of each level of a column (rows); clips without a level are left out."""
    known = predictions[predictions[column].notna()]
    groups = known[column].astype(str)
    counts = count_by_group(known["true"], known["predicted"], groups, list_classes(known))
    clips = known.groupby(groups)["clip"].nunique().rename_axis(column)
    return pd.DataFrame({"uar": uar(counts), "wa": wa(counts), "n_clips": clips})


def tabulate_confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Confusion counts with names: rows are true emotions, columns predicted ones."""
    emotions = list_classes(predictions)
    counts = count_confusions(predictions["true"], predictions["predicted"], emotions)
    return pd.DataFrame(counts, index=pd.Index(emotions, name="true"), columns=pd.Index(emotions, name="predicted"))


def _draw_groups(groups: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """How often each group occurs in each bootstrap sample [draws, G]."""
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=draws)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    numerator = np.asarray(numerator, dtype=float)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=np.asarray(denominator) > 0)
