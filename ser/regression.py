"""Scores of predicted dimensions (arousal, valence, dominance), with intervals over speakers.

The concordance correlation coefficient (CCC; Lin, 1989) asks for agreement, not only for a straight line:
2 cov / (var + var + squared difference of means). Variances and covariance are those of the population (divided by n),
as in Lin's paper; with n - 1 the difference of means would weigh less in small samples. Pearson's correlation (PCC) is
the same under either. All are computed from eight sums over clips, which add up over speakers: a bootstrap of speakers
multiplies and adds, and never sees a clip again. One convention for arrays: [..., D] is one number a dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ser.metrics import count_rows, resample_groups

#: A variance below this share of the mean square is rounding: values that are all the same, far from the other groups'.
ROUNDING = 1e-12


def sum_clips(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The eight sums [8, D] that all scores are computed from, over clips [N, D]."""
    return sum_by_group(true, predicted, ["all"] * len(true))[0]


def sum_by_group(true: np.ndarray, predicted: np.ndarray, groups: Iterable[str]) -> np.ndarray:
    """The sums [G, 8, D] of each group (a speaker, say), groups sorted by name.

    They are n, t, p, t², p², t p, e and \\|e\\|, where t and p are true and predicted values less their mean over all
    clips (so that large values do not cost precision) and e is true less predicted value.
    """
    true, predicted = (np.asarray(side, dtype=np.float64) for side in (true, predicted))
    names, group = np.unique(np.asarray(list(groups), dtype=str), return_inverse=True)
    t, p = (side - (side.mean(axis=0) if len(side) else 0) for side in (true, predicted))
    error = true - predicted
    terms = np.stack([np.ones_like(t), t, p, t * t, p * p, t * p, error, np.abs(error)], axis=1)
    sums = np.zeros((len(names), *terms.shape[1:]))
    np.add.at(sums, group, terms)
    return sums


def ccc(sums: np.ndarray) -> np.ndarray:
    """Concordance correlation [..., D] from sums [..., 8, D].

    0 where one side is constant; NaN where both are the same constant, or there is no clip.
    """
    true, predicted, together = _find_moments(sums)
    bias = _divide(sums[..., 6, :], sums[..., 0, :])
    return _divide(2 * together, true + predicted + bias**2)


def pcc(sums: np.ndarray) -> np.ndarray:
    """Pearson's correlation [..., D] from sums [..., 8, D]; NaN where one side is constant."""
    true, predicted, together = _find_moments(sums)
    return np.clip(_divide(together, np.sqrt(true * predicted)), -1, 1)


def mae(sums: np.ndarray) -> np.ndarray:
    """Mean absolute error [..., D], in the unit of the ratings, from sums [..., 8, D]."""
    return _divide(sums[..., 7, :], sums[..., 0, :])


#: Name → score of each dimension.
SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"ccc": ccc, "pcc": pcc, "mae": mae}


def score_values(
    predictions: pd.DataFrame, prefix: str, dimensions: Sequence[str], by: Sequence[str] = ("gender",)
) -> dict[str, float]:
    """All scores of one evaluation set, named ``<prefix>/ccc/arousal`` and so on.

    Args:
        predictions: columns ``clip``, ``true_<dimension>``, ``pred_<dimension>``, ``speaker`` and those of ``by``.
        prefix: ``test``, ``val``.
        dimensions: which.
        by: columns whose levels are scored separately (``<prefix>/gender/female/ccc``).

    Returns:
        ``ccc``, ``pcc`` and ``mae`` (mean over dimensions) and each ``/<dimension>``, all with ``_ci_low`` and
        ``_ci_high`` (95 %, resampling speakers; NaN with one speaker), ``n_clips``, ``n_predictions`` (more where
        several folds test a clip), ``n_speakers``, and CCC and clips of each level of ``by``. A mean is NaN if one
        dimension's score is.
    """
    sums = sum_by_group(*_get_sides(predictions, dimensions), predictions["speaker"])
    scores = _score_sums([sums], dimensions)
    scores |= count_rows(predictions)
    for column in by:
        table = score_levels(predictions, column, dimensions)
        scores |= {
            f"{column}/{level}/{name}": float(value) for level, row in table.iterrows() for name, value in row.items()
        }
    return {f"{prefix}/{name}": value for name, value in scores.items()}


def score_sets(
    sets: Mapping[str, pd.DataFrame], prefix: str, dimensions: Sequence[str], by: Sequence[str] = ("gender",)
) -> dict[str, float]:
    """Scores of several evaluation sets, each under its own name, and their unweighted means under ``prefix``.

    Args:
        sets: name (``test``, ``test/iemocap``) → predictions.
        prefix: of the means; their intervals resample the speakers of every set.
        dimensions: which.
        by: columns whose levels are scored separately.
    """
    scores: dict[str, float] = {}
    for label, table in sets.items():
        scores |= score_values(table, label, dimensions, by)
    if list(sets) == [prefix]:
        return scores
    sums = [sum_by_group(*_get_sides(table, dimensions), table["speaker"]) for table in sets.values()]
    return scores | {f"{prefix}/{name}": value for name, value in _score_sums(sums, dimensions).items()}


def score_levels(predictions: pd.DataFrame, column: str, dimensions: Sequence[str]) -> pd.DataFrame:
    """CCC (mean and of each dimension) and clips of each level of a column; clips without a level are left out."""
    known = predictions[predictions[column].notna()]
    groups = known[column].astype(str)
    sums = sum_by_group(*_get_sides(known, dimensions), groups)
    names = ["ccc", *(f"ccc/{dimension}" for dimension in dimensions)]
    clips = known.groupby(groups)["clip"].nunique().rename_axis(column)
    return pd.DataFrame(_with_mean(ccc(sums)), columns=names, index=clips.index).assign(n_clips=clips)


def find_mean_ccc(predictions: pd.DataFrame, dimensions: Sequence[str]) -> float:
    """CCC of a table of predictions, mean over dimensions."""
    return float(ccc(sum_clips(*_get_sides(predictions, dimensions))).mean())


def find_intervals(draws: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Percentile interval [2, S] of scores [draws, S]; undefined draws are left out, NaN where all are."""
    ends = np.full((2, draws.shape[1]), np.nan)
    known = ~np.isnan(draws).all(axis=0)
    if known.any():
        ends[:, known] = np.nanquantile(draws[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return ends


def _score_sums(sets: Sequence[np.ndarray], dimensions: Sequence[str]) -> dict[str, float]:
    """Every score with its interval, mean over sets of sums by speaker [S, 8, D]; speakers of each are resampled."""
    samples = [resample_groups(sums, seed=place) for place, sums in enumerate(sets)]
    bounded = all(len(sums) > 1 for sums in sets)
    scores: dict[str, float] = {}
    for name, score in SCORES.items():
        names = [name, *(f"{name}/{dimension}" for dimension in dimensions)]
        values = np.mean([_with_mean(score(sums.sum(0))) for sums in sets], axis=0)
        draws = np.mean([_with_mean(score(sample)) for sample in samples], axis=0)
        ends = find_intervals(draws) if bounded else np.full((2, len(names)), np.nan)
        for place, label in enumerate(names):
            bounds = {f"{label}_ci_low": float(ends[0, place]), f"{label}_ci_high": float(ends[1, place])}
            scores |= {label: float(values[place]), **bounds}
    return scores


def _get_sides(predictions: pd.DataFrame, dimensions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    true, predicted = (
        predictions[[f"{side}_{dimension}" for dimension in dimensions]].to_numpy(dtype=np.float64)
        for side in ("true", "pred")
    )
    return true, predicted


def _with_mean(scores: np.ndarray) -> np.ndarray:
    return np.concatenate([scores.mean(axis=-1, keepdims=True), scores], axis=-1)


def _find_moments(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, t, p, tt, pp, tp = (sums[..., place, :] for place in range(6))
    mean_t, mean_p = _divide(t, n), _divide(p, n)
    variances = []
    for square, mean in ((_divide(tt, n), mean_t), (_divide(pp, n), mean_p)):
        variance = square - mean**2
        variances.append(np.where(variance <= ROUNDING * square, 0, variance))
    true, predicted = variances
    constant = (true == 0) | (predicted == 0)
    return true, predicted, np.where(constant, 0, _divide(tp, n) - mean_t * mean_p)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0)
