"""Two models by their scores over folds or repeated splits, when nothing but the scores is left.

Scores of folds are not independent: their training sets overlap. The plain paired t test takes them as independent and
rejects far too often; Nadeau & Bengio (2003) add the test/train ratio to 1 / J in the variance of the mean of J scores,
which brings the error rate near its nominal level (Bouckaert & Frank 2004 for repeated cross-validation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ser.errors import InputError
from ser.statistics.records import Record

#: A spread below this share of the largest value is rounding.
ROUNDING = 1e-12

NAIVE_WARNING = "the plain paired t test takes folds that share training data as independent; do not conclude from it"
REPETITION_WARNING = "means over repetitions share all data; their t test ignores it and is too sure of itself"


@dataclass(frozen=True)
class MeanTest(Record):
    """Student's t of a mean against 0; t and p are NaN where nothing varies."""

    mean: float
    se: float
    df: float
    t: float
    p: float
    ci: tuple[float, float]


@dataclass(frozen=True)
class ResampledComparison(Record):
    """Difference of two models (``a - b``) over J resampled scores.

    ``corrected`` is Nadeau & Bengio's test and the one to report; ``naive`` and ``by_repetition`` (t over the means of
    the repetitions) stand beside it for comparison with published numbers.
    """

    a: str
    b: str
    n: int
    test_train_ratio: float
    mean_difference: float
    variance: float
    corrected: MeanTest
    naive: MeanTest
    by_repetition: MeanTest | None
    notes: tuple[str, ...]


def compare_resampled(
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    test_train_ratio: float,
    repetitions: np.ndarray | None = None,
    names: tuple[str, str] = ("a", "b"),
    level: float = 0.95,
) -> ResampledComparison:
    """Compare two models by their scores [J] on the same J test parts.

    Args:
        scores_a, scores_b: one score per fold or split, in the same order.
        test_train_ratio: size of a test part over the size of its training part, see :func:`find_ratio`.
        repetitions: repetition of the cross-validation each score belongs to [J].
        names: of the models.
        level: of the intervals.

    Raises:
        InputError: different or missing scores, fewer than two, a ratio that is not positive.
    """
    a, b = np.asarray(scores_a, dtype=float), np.asarray(scores_b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2 or not np.isfinite(a + b).all():
        raise InputError("resampled scores need two or more pairs without gaps, one per fold or split")
    if not 0 < test_train_ratio < np.inf:
        raise InputError(f"test/train ratio {test_train_ratio}", expected="a positive number, 1 / (k - 1) for k folds")
    gaps = a - b
    notes = [NAIVE_WARNING]
    by_repetition = None
    if repetitions is not None:
        _, places = np.unique(np.asarray(repetitions).astype(str), return_inverse=True)
        if places.max() > 0:
            by_repetition = test_mean(np.bincount(places, gaps) / np.bincount(places), level)
            notes.append(REPETITION_WARNING)
    naive = test_mean(gaps, level)
    if naive.se == 0:
        notes.append("the difference is the same in every split: no test is possible")
    return ResampledComparison(
        *names,
        n=len(gaps),
        test_train_ratio=float(test_train_ratio),
        mean_difference=float(gaps.mean()),
        variance=float(gaps.var(ddof=1)),
        corrected=test_mean(gaps, level, test_train_ratio),
        naive=naive,
        by_repetition=by_repetition,
        notes=tuple(notes),
    )


def find_ratio(folds: int | None = None, test_share: float | None = None) -> float:
    """Test/train ratio of k folds, 1 / (k - 1), or of random splits with this share of test data."""
    if folds is not None and folds > 1:
        return 1 / (folds - 1)
    if test_share is not None and 0 < test_share < 1:
        return test_share / (1 - test_share)
    raise InputError("no test/train ratio", expected="two or more folds, or a test share between 0 and 1")


def test_mean(values: np.ndarray, level: float = 0.95, inflation: float = 0.0) -> MeanTest:
    """t test that the mean of values [N] is 0; ``inflation`` is added to 1 / N in the variance of the mean."""
    values = np.asarray(values, dtype=float)
    size = len(values)
    if size < 2 or not np.isfinite(values).all():
        raise InputError(f"a t test needs two or more finite values, not {size}")
    mean, df = float(values.mean()), size - 1
    sd = float(values.std(ddof=1))
    se = float(np.sqrt(1 / size + inflation)) * sd if sd > ROUNDING * np.abs(values).max() else 0.0
    t = mean / se if se else float("nan")
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    return MeanTest(mean, se, df, t, float(2 * stats.t.sf(abs(t), df)), (mean - half, mean + half))
