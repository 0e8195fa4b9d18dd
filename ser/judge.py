"""How a run is scored: by recalls where it names emotions, by concordance where it predicts numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from ser import metrics, regression

#: Scores that a run is named by, each with those told beside it.
HEADLINES = {"uar": ("wa", "f1_macro"), "ccc": ("pcc", "mae")}
TITLES = {"uar": "UAR", "wa": "WA", "f1_macro": "macro-F1", "ccc": "CCC", "pcc": "PCC", "mae": "MAE"}


class Judge(Protocol):
    """Scores and tables of prediction tables."""

    @property
    def headline(self) -> str:
        """The score that is named first."""

    def score_sets(self, sets: Mapping[str, pd.DataFrame], prefix: str) -> dict[str, float]:
        """Scores of evaluation sets under their names, and their means under ``prefix``."""

    def score_folds(self, folds: Sequence[pd.DataFrame]) -> dict[str, float]:
        """Mean and standard deviation of the folds' own headline score, over test corpora alike."""

    def tabulate(self, test: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Tables written beside the predictions, by file name."""

    def note(self, sets: Mapping[str, pd.DataFrame]) -> list[str]:
        """What a reader must know of the scores of evaluation sets."""


@dataclass(frozen=True)
class EmotionJudge:
    """UAR and what belongs to it."""

    by: Sequence[str]
    headline: str = "uar"

    def score_sets(self, sets: Mapping[str, pd.DataFrame], prefix: str) -> dict[str, float]:
        """See :func:`ser.metrics.score_sets`."""
        return metrics.score_sets(sets, prefix, self.by)

    def score_folds(self, folds: Sequence[pd.DataFrame]) -> dict[str, float]:
        """UAR of each fold."""
        return spread_folds(
            self.headline, folds, lambda part: float(metrics.uar(metrics.count_by_speaker(part).sum(0)))
        )

    def tabulate(self, test: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Confusion counts, and scores of each speaker."""
        return {
            "confusion.csv": metrics.tabulate_confusion(test),
            "speakers.csv": metrics.score_levels(test, "speaker"),
        }

    def note(self, sets: Mapping[str, pd.DataFrame]) -> list[str]:
        """See :func:`ser.metrics.explain_interval`."""
        notes = {label: metrics.explain_interval(table) for label, table in sets.items()}
        return [f"{label}: {note}" for label, note in notes.items() if note]


@dataclass(frozen=True)
class DimensionJudge:
    """Concordance correlation and what belongs to it."""

    dimensions: tuple[str, ...]
    by: Sequence[str]
    headline: str = "ccc"

    def score_sets(self, sets: Mapping[str, pd.DataFrame], prefix: str) -> dict[str, float]:
        """See :func:`ser.regression.score_sets`."""
        return regression.score_sets(sets, prefix, self.dimensions, self.by)

    def score_folds(self, folds: Sequence[pd.DataFrame]) -> dict[str, float]:
        """CCC of each fold, mean over dimensions."""
        return spread_folds(self.headline, folds, lambda part: regression.find_mean_ccc(part, self.dimensions))

    def tabulate(self, test: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Scores of each speaker."""
        return {"speakers.csv": regression.score_levels(test, "speaker", self.dimensions)}

    def note(self, sets: Mapping[str, pd.DataFrame]) -> list[str]:  # noqa: ARG002 - numbers have no classes
        """Nothing."""
        return []


def choose_judge(dimensions: tuple[str, ...], by: Sequence[str]) -> Judge:
    """The judge of what is predicted: numbers, or emotions where there are no dimensions."""
    return DimensionJudge(dimensions, by) if dimensions else EmotionJudge(by)


def find_headline(scores: Mapping[str, object]) -> str:
    """The score that a run is named by, of all that were written; "" if there is none."""
    return next((name for name in HEADLINES if f"test/{name}" in scores), "")


def spread_folds(
    headline: str, folds: Sequence[pd.DataFrame], score: Callable[[pd.DataFrame], float]
) -> dict[str, float]:
    """Mean and standard deviation over folds of a score that is averaged over the corpora of a fold."""
    values = [np.mean([score(part) for _, part in fold.groupby("dataset")]) for fold in folds]
    if len(values) < 2:
        return {}
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    return {f"test/{headline}_fold_mean": mean, f"test/{headline}_fold_std": deviation}
