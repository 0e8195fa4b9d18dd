"""Whether contrasts go where experts expect them, beside what chance would reach.

A reliance that contradicts the table is a finding about the model, no failure of the explanation. Against the speaker's
neutral any map of an angry clip finds it loud: the chance level by circular shifts says what a map adds, and the kinds
``rest`` and ``shift`` are about places alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd

from ser.cue.aggregate import KINDS, Resamples
from ser.cue.contrast import Contrasts
from ser.cue.cues import CUE_NAMES
from ser.cue.heard import Heard
from ser.cue.tracks import Array
from ser.statistics.adjust import adjust_p

ALPHA = 0.05
#: Orders of the emotions that are all tried, and random ones beyond.
EXACT, RANDOM = 5040, 1000


def score_agreement(means: Array, q: Array, signs: Array, weights: Array) -> Array:
    """Agreement of every emotion's contrasts with every row of the table, and what it could be at most.

    Args:
        means, q: contrasts and their adjusted p ``[emotions, cues]``.
        signs, weights: of the table ``[emotions, cues]``.

    Returns:
        ``[2, emotions, emotions]``: sums of weight x sign x sign of the contrast where q < .05, and sums of weights,
        both over the cues that were measured; contrasts by row, expectations by column.
    """
    known = np.isfinite(means)
    found = np.where(known & (q < ALPHA), np.sign(np.where(known, means, 0.0)), 0.0)
    return np.array([found @ (weights * signs).T, known.astype(float) @ weights.T])


def permute_rows(scores: Array, seed: int) -> tuple[Array, bool]:
    """Agreement under every order of the table's rows, or :data:`RANDOM` ones of many emotions ``[orders]``.

    Also whether these are all orders, the true one among them.
    """
    size = scores.shape[1]
    exact = factorial(size) <= EXACT
    if exact:
        orders = np.array(list(permutations(range(size))), dtype=int)
    else:
        rng = np.random.default_rng(seed)
        orders = np.array([rng.permutation(size) for _ in range(RANDOM)])
    rows = np.arange(size)
    reached, most = scores[0][rows, orders].sum(axis=1), scores[1][rows, orders].sum(axis=1)
    return np.divide(reached, most, out=np.full(len(orders), np.nan), where=most > 0), exact


def judge(
    clips: Sequence[Heard],
    contrasts: pd.DataFrame,
    found: Contrasts,
    emotions: Sequence[str],
    signs: Array,
    weights: Array,
    place: int,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Agreement of each kind and subset with the table, by row permutation and by circular shifts.

    Args:
        clips: explained.
        contrasts: as of :func:`ser.cue.aggregate.average_contrasts`, at the one quantile that is judged.
        found: the contrasts of the clips.
        emotions: those that the table has, in the order of ``signs`` and ``weights`` ``[emotions, cues]``.
        place: of the quantile.
        draws, seed: of resampled speakers.

    Returns:
        One row a kind x subset (emotion ``""``: all of them) and, for each emotion, its agreement alone; columns
        ``agreement`` (-1 to 1), ``chance``, ``sd``, ``z``, ``p`` (one-sided: as high by permuted rows), and for kind
        ``neutral`` over all clips ``chance_shift``, ``z_shift``, ``p_shift``.
    """
    rows: list[dict[str, object]] = []
    for kind in KINDS:
        for subset in ("all", "correct", "wrong"):
            means, q = (_spread(contrasts, kind, subset, emotions, column) for column in ("mean", "q"))
            scores = score_agreement(means, q, signs, weights)
            own = np.diagonal(scores, axis1=1, axis2=2)
            chance, exact = permute_rows(scores, seed)
            row: dict[str, object] = {"kind": kind, "subset": subset, "emotion": ""}
            row |= _compare(_share(own.sum(axis=1)), chance, exact)
            if (kind, subset) == ("neutral", "all"):
                moved = score_shifts(clips, found, emotions, signs, weights, place, draws, seed)
                shifted = _compare(_share(own.sum(axis=1)), moved)
                row |= {f"{name}_shift": shifted[name] for name in ("chance", "z", "p")}
            rows.append(row)
            rows += [
                {"kind": kind, "subset": subset, "emotion": emotion, "agreement": _share(own[:, at])}
                for at, emotion in enumerate(emotions)
            ]
    return pd.DataFrame(rows)


def score_shifts(
    clips: Sequence[Heard],
    found: Contrasts,
    emotions: Sequence[str],
    signs: Array,
    weights: Array,
    place: int,
    draws: int,
    seed: int,
) -> Array:
    """Agreement of contrasts with neutral when every clip's region lies elsewhere in it ``[kept]``."""
    resamples = Resamples.draw([heard.speaker for heard in clips], draws, seed)
    own = np.array([heard.emotion for heard in clips])
    null = found.null[:, :, place]  # [kept, clips, cues]
    kept, _, cues = null.shape
    columns = null.transpose(1, 0, 2).reshape(len(clips), -1)
    means, p = [], []
    for emotion in emotions:
        found_there = resamples.average(columns, own == emotion)
        means.append(found_there.mean.reshape(kept, cues))
        p.append(found_there.find_p().reshape(kept, cues))
    scores = []
    for mean, chance in zip(np.stack(means, axis=1), np.stack(p, axis=1), strict=True):
        q = adjust_p(chance.ravel(), "bh").reshape(chance.shape)
        own_scores = np.diagonal(score_agreement(mean, q, signs, weights), axis1=1, axis2=2)
        scores.append(_share(own_scores.sum(axis=1)))
    return np.array(scores)


def follow_errors(
    clips: Sequence[Heard],
    found: Contrasts,
    emotions: Sequence[str],
    signs: Array,
    weights: Array,
    place: int,
    draws: int,
    seed: int,
) -> dict[str, object] | None:
    """Whether the contrasts of wrong clips go with the emotion that was predicted or with the true one.

    Returns:
        Mean agreement (of all cues, significant or not) with the row of the predicted and of the true emotion, their
        difference with its interval over speakers, and p; ``None`` where no wrong clip has both emotions in the table.
    """
    place_of = {emotion: at for at, emotion in enumerate(emotions)}
    wrong = [
        at for at, heard in enumerate(clips) if not heard.correct and {heard.predicted, heard.emotion} <= set(place_of)
    ]
    if not wrong:
        return None
    contrast = found.kinds["neutral"][wrong, place]
    scores = []
    for name in ("predicted", "emotion"):
        rows = [place_of[getattr(clips[at], name)] for at in wrong]
        known = np.isfinite(contrast)
        most = (weights[rows] * known).sum(axis=1)
        # Contrasts of less than one SD count in part: the sign of nothing says nothing.
        reached = np.nansum(weights[rows] * signs[rows] * np.clip(contrast, -1, 1), axis=1)
        scores.append(np.divide(reached, most, out=np.full(len(wrong), np.nan), where=most > 0))
    predicted, true = scores
    resamples = Resamples.draw([clips[at].speaker for at in wrong], draws, seed)
    difference = resamples.average((predicted - true)[:, None], np.ones(len(wrong), bool))
    low, high = difference.find_interval()
    return {
        "clips": len(wrong),
        "predicted": float(np.nanmean(predicted)),
        "true": float(np.nanmean(true)),
        "difference": float(difference.mean[0]),
        "low": float(low[0]),
        "high": float(high[0]),
        "p": float(difference.find_p()[0]),
    }


def _spread(table: pd.DataFrame, kind: str, subset: str, emotions: Sequence[str], column: str) -> Array:
    """A column of the contrasts ``[emotions, cues]``; NaN for emotions without clips."""
    own = table[(table["kind"] == kind) & (table["subset"] == subset)]
    wide = own.pivot_table(index="emotion", columns="cue", values=column, dropna=False)
    return wide.reindex(index=list(emotions), columns=list(CUE_NAMES)).to_numpy(dtype=float)


def _share(pair: Array) -> float:
    return float(pair[0] / pair[1]) if pair[1] > 0 else float("nan")


def _compare(agreement: float, chance: Array, exact: bool = False) -> dict[str, float]:
    """An agreement beside its chance distribution, which has it in it where it is exact."""
    known = chance[np.isfinite(chance)]
    if not known.size or not np.isfinite(agreement):
        return dict.fromkeys(("chance", "sd", "z", "p"), float("nan")) | {"agreement": agreement}
    sd = float(known.std())
    return {
        "agreement": agreement,
        "chance": float(known.mean()),
        "sd": sd,
        "z": (agreement - float(known.mean())) / sd if sd > 1e-12 else float("nan"),
        "p": float(((not exact) + (known >= agreement - 1e-12).sum()) / ((not exact) + known.size)),
    }
