"""Two or more models on the same utterances: McNemar, Cochran's Q, and tests that take speakers as units.

Every difference is first minus second (``a - b``); exchanging the models changes signs and nothing else.

McNemar and Cochran's Q take utterances as independent and the models as given: they speak of these very predictions.
For another set of speakers, resample or flip speakers; for another training run, resample runs as well
(:func:`ser.statistics.bootstrap.bootstrap_two_way`), since intervals over speakers alone are too narrow then.
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
from ser.statistics.bootstrap import Bootstrap, SignFlip, bootstrap_speakers, flip_signs
from ser.statistics.records import Record
from ser.statistics.resampled import MeanTest, test_mean


@dataclass(frozen=True)
class McNemar(Record):
    """McNemar's test of two models in four forms.

    ``n10`` utterances are right by ``a`` only, ``n01`` by ``b`` only; ``difference`` is the difference in accuracy with
    its Wald interval, ``odds_ratio`` n10 / n01. ``p_exact`` is the binomial test of the two, ``p_mid`` counts the
    observed table half (Fagerland, Lydersen & Laake 2013), ``p`` and ``p_corrected`` are the chi-square without and
    with continuity correction.
    """

    a: str
    b: str
    n11: int
    n10: int
    n01: int
    n00: int
    difference: float
    ci: tuple[float, float]
    odds_ratio: float
    p_exact: float
    p_mid: float
    chisq: float
    p: float
    chisq_corrected: float
    p_corrected: float


@dataclass(frozen=True)
class CochranQ(Record):
    """Cochran's Q: do several models have the same accuracy on the same utterances?"""

    chisq: float
    df: int
    p: float


@dataclass(frozen=True)
class PairComparison(Record):
    """Two models on the same utterances; what needs speakers is None without them."""

    mcnemar: McNemar
    n: int
    n_speakers: int | None
    pooled: Bootstrap | None
    macro: Bootstrap | None
    sign_flip: SignFlip | None
    speaker_t: MeanTest | None


@dataclass(frozen=True)
class PredictionComparison(Record):
    """Several models on the same utterances: all pairs, with the exact McNemar p adjusted over them."""

    models: list[str]
    accuracy: dict[str, float]
    cochran: CochranQ
    pairs: list[PairComparison]
    p_exact_holm: list[float]
    p_exact_bh: list[float]
    notes: tuple[str, ...]


def compare_predictions(
    table: pd.DataFrame, models: Sequence[str], speaker: str | None = None, seed: int = 0, level: float = 0.95
) -> PredictionComparison:
    """Compare all pairs of models on one table.

    Args:
        table: one row per utterance; a column per model holds whether it is right (0 or 1).
        models: the model columns.
        speaker: column of the speaker.
        seed: of the resampling.
        level: of the intervals.

    Raises:
        InputError: fewer than two models, values that are not 0 or 1.
    """
    if len(models) < 2:
        raise InputError("a paired comparison needs two models", expected="two or more score columns")
    speakers = None if speaker is None else table[speaker].to_numpy()
    pairs = [
        compare_pair(table[a].to_numpy(), table[b].to_numpy(), speakers, (a, b), seed, level)
        for a, b in combinations(models, 2)
    ]
    p_exact = np.array([pair.mcnemar.p_exact for pair in pairs])
    return PredictionComparison(
        models=list(models),
        accuracy={model: float(table[model].mean()) for model in models},
        cochran=test_cochran(table[list(models)].to_numpy()),
        pairs=pairs,
        p_exact_holm=adjust_p(p_exact, "holm").tolist(),
        p_exact_bh=adjust_p(p_exact, "bh").tolist(),
        notes=(
            "McNemar and Cochran's Q compare these very predictions; they say nothing on other speakers"
            " or on another training run of the same recipe",
        ),
    )


def compare_pair(
    correct_a: np.ndarray,
    correct_b: np.ndarray,
    speakers: np.ndarray | None = None,
    names: tuple[str, str] = ("a", "b"),
    seed: int = 0,
    level: float = 0.95,
) -> PairComparison:
    """Compare two models by whether they are right [N] on the same N utterances of the given speakers [N]."""
    mcnemar = test_mcnemar(correct_a, correct_b, names, level)
    size = len(correct_a)
    if speakers is None or len(np.unique(speakers)) < 2:
        return PairComparison(mcnemar, size, None if speakers is None else 1, None, None, None, None)
    differences, counts = average_speakers(correct_a, correct_b, speakers)
    return PairComparison(
        mcnemar=mcnemar,
        n=size,
        n_speakers=len(counts),
        pooled=bootstrap_speakers(differences, counts, seed=seed, level=level),
        macro=bootstrap_speakers(differences, seed=seed, level=level),
        sign_flip=flip_signs(differences, seed=seed),
        speaker_t=test_mean(differences, level),
    )


def test_mcnemar(
    correct_a: np.ndarray, correct_b: np.ndarray, names: tuple[str, str] = ("a", "b"), level: float = 0.95
) -> McNemar:
    """McNemar's test of two models by whether they are right (0 or 1) [N] on the same N utterances."""
    a, b = _check_correct(correct_a), _check_correct(correct_b)
    if len(a) != len(b) or not len(a):
        raise InputError(f"{len(a)} and {len(b)} utterances", expected="the same utterances for both models")
    size, n10, n01 = len(a), int((a & ~b).sum()), int((~a & b).sum())
    discordant, gap = n10 + n01, n10 - n01
    p_exact = float(stats.binomtest(n10, discordant).pvalue) if discordant else 1.0
    chisq = gap**2 / discordant if discordant else 0.0
    corrected = max(abs(gap) - 1, 0) ** 2 / discordant if discordant else 0.0
    half = float(stats.norm.ppf((1 + level) / 2)) * np.sqrt(discordant - gap**2 / size) / size
    return McNemar(
        *names,
        n11=int((a & b).sum()),
        n10=n10,
        n01=n01,
        n00=int((~a & ~b).sum()),
        difference=gap / size,
        ci=(float(gap / size - half), float(gap / size + half)),
        odds_ratio=n10 / n01 if n01 else (float("inf") if n10 else float("nan")),
        p_exact=p_exact,
        p_mid=p_exact - float(stats.binom.pmf(min(n10, n01), discordant, 0.5)) if discordant else 1.0,
        chisq=chisq,
        p=float(stats.chi2.sf(chisq, 1)),
        chisq_corrected=corrected,
        p_corrected=float(stats.chi2.sf(corrected, 1)),
    )


def test_cochran(correct: np.ndarray) -> CochranQ:
    """Cochran's Q of K models by whether they are right (0 or 1) [N, K] on the same N utterances."""
    values = _check_correct(correct).astype(float)
    models, rows = values.sum(0), values.sum(1)
    count = values.shape[1]
    spread = count * rows.sum() - (rows**2).sum()
    if spread == 0:  # all models agree on every utterance
        return CochranQ(0.0, count - 1, 1.0)
    chisq = float((count - 1) * (count * (models**2).sum() - models.sum() ** 2) / spread)
    return CochranQ(chisq, count - 1, float(stats.chi2.sf(chisq, count - 1)))


def average_speakers(
    correct_a: np.ndarray, correct_b: np.ndarray, speakers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Differences in accuracy [S] and utterances [S] of the speakers, in sorted order; inputs [N]."""
    _, places = np.unique(np.asarray(speakers).astype(str), return_inverse=True)
    gaps = np.asarray(correct_a, dtype=float) - np.asarray(correct_b, dtype=float)
    counts = np.bincount(places)
    return np.bincount(places, gaps) / counts, counts


# ---- small things


def _check_correct(correct: np.ndarray) -> np.ndarray:
    """Whether a model is right, as booleans; InputError for anything but 0 and 1."""
    values = np.asarray(correct, dtype=float)
    if not np.isin(values, (0.0, 1.0)).all():
        raise InputError("a paired comparison of predictions needs 0 (wrong) or 1 (right) for every utterance")
    return values.astype(bool)
