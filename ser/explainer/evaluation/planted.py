"""Scores of explanations of planted clips, whose truth is known: where the cue is, what it causes, which cue it is.

Maps over time are compared with the span of the cue and that of the decoy; relevance in the span with the effect that
taking the cue away has on the margin; reported importances of cues with their Shapley values in the model
(``ser.dataset.planted.truth``). Plain arrays in, numbers out. A score that a clip does not allow is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from ser.explainer.evaluation.similarity import correlate_ranks

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: s; every map is smoothed alike before it is scored, nulls included, for smoothing alone changes scores.
SMOOTHING = 0.09
#: s that a span is widened by on either side.
TOLERANCE = 0.025
#: Share of a decision above which a shortcut carries it.
CARRIES = 0.5
PERMUTATIONS = 1000


# ---- where: one clip


def smooth(relevance: ArrayLike, step: float, width: float = SMOOTHING) -> Array:
    """A map [time] averaged over a window of some width (s), at the ends over what there is of it.

    Args:
        relevance: signed [time].
        step: s between cells.
        width: of the window; 0 leaves the map as it is.
    """
    values = np.asarray(relevance, dtype=float)
    reach = round(width / step) // 2
    most = np.abs(values).max(initial=0)
    if reach < 1 or not most:
        return values
    window = np.ones(2 * reach + 1)
    near = np.convolve(values / most, window)[reach : reach + len(values)]
    # What is equal but for rounding is to stay equal.
    return most * np.round(near / np.convolve(np.ones(len(values)), window)[reach : reach + len(values)], 12)


def mark_span(times: ArrayLike, start: float, end: float, tolerance: float = TOLERANCE) -> Mask:
    """Which cells [time] have their centre in a span (s), give or take a tolerance; none for a missing span."""
    centres = np.asarray(times, dtype=float)
    return (centres >= start - tolerance) & (centres <= end + tolerance)


def find_auroc(relevance: ArrayLike, inside: Mask) -> float:
    """Chance that a cell inside has more relevance than one outside; a tie counts half."""
    values, inside = np.asarray(relevance, dtype=float), np.asarray(inside, dtype=bool)
    hits, rest = int(inside.sum()), int((~inside).sum())
    if not hits or not rest:
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[inside].sum() - hits * (hits + 1) / 2) / (hits * rest))


def find_precision(relevance: ArrayLike, inside: Mask) -> float:
    """Average precision of the cells inside, from the most relevant on; equal cells come together."""
    values, inside = np.asarray(relevance, dtype=float), np.asarray(inside, dtype=bool)
    if not inside.any() or inside.all():
        return float("nan")
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    hits = np.cumsum(inside[order])[ends]
    return float((np.diff(hits, prepend=0) * hits / (ends + 1)).sum() / inside.sum())


def find_pointing(relevance: ArrayLike, inside: Mask) -> float:
    """Whether the most relevant cell is inside; among several, the share of those that are."""
    values, inside = np.asarray(relevance, dtype=float), np.asarray(inside, dtype=bool)
    if not inside.any() or inside.all():
        return float("nan")
    return float(inside[values == values.max()].mean())


def find_enrichment(relevance: ArrayLike, inside: Mask) -> float:
    """Share of the positive relevance that lies inside, over the share of the cells that do."""
    values, inside = np.asarray(relevance, dtype=float), np.asarray(inside, dtype=bool)
    positive = np.clip(values, 0, None)
    if not inside.any() or inside.all() or not positive.any():
        return float("nan")
    return float(positive[inside].sum() / positive.sum() / inside.mean())


def find_excess(relevance: ArrayLike, inside: Mask) -> float:
    """Signed relevance inside, less what would be there if all of it were spread evenly."""
    values, inside = np.asarray(relevance, dtype=float), np.asarray(inside, dtype=bool)
    return float(values[inside].sum() - inside.mean() * values.sum()) if inside.any() else float("nan")


def score_map(
    relevance: ArrayLike,
    times: ArrayLike,
    span: tuple[float, float],
    decoy: tuple[float, float] = (float("nan"), float("nan")),
    smoothing: float = SMOOTHING,
    tolerance: float = TOLERANCE,
) -> dict[str, float]:
    """All scores of one map over time.

    By chance ``loc_auroc`` is 0.5, ``loc_ap`` and ``point`` are ``prevalence``, ``enrichment`` and ``decoy`` are 1.
    The best map has 1, 1, 1, 1 / prevalence, and a decoy of 0. ``excess`` has the unit of the map; over many clips it
    is to go with the effect of the cue (:func:`correlate_effects`).

    Args:
        relevance: signed, for the class that the cue speaks for [time].
        times: centres of the cells in s [time].
        span: start and end of the cue in s.
        decoy: start and end of the decoy in s, missing (NaN) where there is none.
        smoothing: s, the same for all maps that are compared.
        tolerance: s.
    """
    centres = np.asarray(times, dtype=float)
    step = float(np.median(np.diff(centres))) if len(centres) > 1 else 1.0
    values = smooth(relevance, step, smoothing)
    inside, beside = mark_span(centres, *span, tolerance), mark_span(centres, *decoy, tolerance)
    return {
        "loc_auroc": find_auroc(values, inside),
        "loc_ap": find_precision(values, inside),
        "point": find_pointing(values, inside),
        "enrichment": find_enrichment(values, inside),
        "decoy": find_enrichment(values, beside),
        "excess": find_excess(values, inside),
        "prevalence": float(inside.mean()),
    }


# ---- how much: many clips


def correlate_effects(excess: ArrayLike, effects: ArrayLike) -> float:
    """Spearman's correlation over clips of the relevance in the span (``excess``) with the effect of its cue."""
    return correlate_ranks(*drop_missing(excess, effects))


# ---- which: importances of cues


@dataclass(frozen=True, eq=False)
class Score:
    """A score of every clip, and the mean of the same with the clip's importances in random order.

    Attributes:
        scores: [clips]; NaN where a clip has none.
        chances: [clips].
    """

    scores: Array
    chances: Array

    @property
    def value(self) -> float:
        """Mean over the clips that are scored."""
        return nanmean(self.scores)

    @property
    def chance(self) -> float:
        """Mean of what chance would give on the same clips."""
        return nanmean(self.chances)

    @property
    def clips(self) -> int:
        """How many are scored."""
        return int(np.isfinite(self.scores).sum())


def score_cues(reported: ArrayLike, truth: ArrayLike, seed: int = 0) -> dict[str, Score]:
    """Reported importances of cues against their Shapley values in the model.

    ``cue_rank`` is Spearman's correlation of their sizes within a clip, ``cue_sign`` the share of a clip's true
    importance whose sign is reported, ``cue_mae`` the mean absolute error after both sides are scaled to absolute
    values that sum to 1, so that importances in other units can be compared: 0 is best there.

    Args:
        reported: signed [clips, cues].
        truth: signed [clips, cues], in the same order.
        seed: of the permutations.
    """
    said, true = scale(reported), scale(truth)
    kept: Mask = np.isfinite(np.concatenate([said, true], axis=1)).all(axis=1)
    scores = {"cue_rank": find_ranks, "cue_sign": find_signs, "cue_mae": find_errors}
    return {name: against_chance(function, said, true, kept, seed) for name, function in scores.items()}


def find_ranks(reported: Array, truth: Array) -> Array:
    """Spearman's correlation of the sizes in every clip [clips]."""
    pairs = zip(np.abs(reported), np.abs(truth), strict=True)
    return np.array([correlate_ranks(one, other) for one, other in pairs])


def find_signs(reported: Array, truth: Array) -> Array:
    """Share of the true importance whose sign is reported [clips]."""
    return (np.abs(truth) * (np.sign(reported) == np.sign(truth))).sum(axis=1) / np.abs(truth).sum(axis=1)


def find_errors(reported: Array, truth: Array) -> Array:
    """Mean absolute error [clips]."""
    return np.abs(reported - truth).mean(axis=1)


def score_shortcut(reported: ArrayLike, truth: ArrayLike, shortcut: int, seed: int = 0) -> Score:
    """Whether the shortcut is reported as more important than every cue, in the decisions that it carries.

    Args:
        reported: signed importances [clips, players].
        truth: Shapley values in the model [clips, players].
        shortcut: which player it is.
        seed: of the permutations.
    """
    said, true = scale(reported), scale(truth)
    carried = (np.abs(true[:, shortcut]) > CARRIES) & np.isfinite(said).all(axis=1)
    return against_chance(lambda one, _: point_at(one, shortcut), said, true, carried, seed)


def point_at(importances: Array, player: int) -> Array:
    """Whether a player is the most important one [clips]; shared among equals."""
    sizes = np.abs(importances)
    most = sizes == sizes.max(axis=1, keepdims=True)
    return most[:, player] / most.sum(axis=1)


def find_reliance(reported: ArrayLike, cue: int) -> Array:
    """Share of the reported importance that goes to a cue [clips]: 0 is right where the model cannot hear the cue."""
    return np.abs(scale(reported)[:, cue])


def against_chance(
    function: Callable[[Array, Array], Array], reported: Array, truth: Array, kept: Mask, seed: int
) -> Score:
    """A score of the clips that are kept, and its mean with the reported importances of each clip in random order."""
    values, chances = np.full(len(reported), np.nan), np.full(len(reported), np.nan)
    if kept.any():
        said, true = reported[kept], truth[kept]
        rng = np.random.default_rng(seed)
        # Many clips need few permutations each for a mean that is as exact.
        rounds = max(1, -(-PERMUTATIONS // len(said)))
        values[kept] = function(said, true)
        chances[kept] = np.mean([function(rng.permuted(said, axis=1), true) for _ in range(rounds)], axis=0)
    return Score(values, chances)


# ---- intervals


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], speakers: ArrayLike, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Interval (95 %) of a statistic of clips over resampled speakers.

    Args:
        statistic: of the clips with these numbers, some of them repeatedly.
        speakers: of every clip [clips].
        draws: resamples.
        seed: of the resamples.

    Returns:
        Percentiles 2.5 and 97.5; NaN with a single speaker, about whom others say nothing.
    """
    names, place = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    if len(names) < 2:
        return float("nan"), float("nan")
    clips = [np.flatnonzero(place == number) for number in range(len(names))]
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(names), size=(draws, len(names)))
    values = np.array([statistic(np.concatenate([clips[number] for number in row])) for row in chosen])
    known = values[np.isfinite(values)]
    return tuple(map(float, np.percentile(known, [2.5, 97.5]))) if len(known) else (float("nan"),) * 2  # type: ignore[return-value]


# ---- small things


def scale(importances: ArrayLike) -> Array:
    """Importances [clips, players] whose absolute values sum to 1 in every clip; NaN where there are none."""
    values = np.asarray(importances, dtype=float)
    total = np.abs(values).sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.full_like(values, np.nan), where=total > 0)


def drop_missing(one: ArrayLike, other: ArrayLike) -> tuple[Array, Array]:
    """Both sides where neither is missing."""
    sides = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    known = np.isfinite(sides[0]) & np.isfinite(sides[1])
    return sides[0][known], sides[1][known]


def nanmean(values: Array) -> float:
    """Mean of what is there; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
