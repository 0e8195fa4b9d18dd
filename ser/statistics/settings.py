"""What a user decides about an analysis; everything else follows from the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ser.errors import InputError
from ser.statistics.adjust import METHODS as ADJUSTMENTS
from ser.statistics.choose import METHODS

#: Beside the methods that a design calls for, one that only a user can ask for.
CLUSTER = "cluster"
#: The smallest difference of interest where scores lie between -1 and 1: two points of UAR.
SESOI = 0.02


@dataclass(frozen=True)
class Settings:
    """A choice of the group ``statistics``.

    Args:
        method: ``auto`` (by the design), one of :data:`ser.statistics.choose.METHODS`, or ``cluster``: a model with
            covariances that are robust to what rows of one speaker share.
        rows: ``cells`` (a trained model on a test speaker), ``runs``, ``clips``, or ``auto``.
        family: ``gaussian``, ``binomial`` for answers and counts, or ``auto``: binomial for counts of ``trials`` and
            for clips.
        anova_type: 2 or 3; ``None``: Type II, of an analysis of variance III beside it.
        reml: fit Gaussian mixed models by REML; by ML otherwise.
        formula: of the model, in place of the one that the design implies; with random terms a mixed model.
        trials: column with the number of trials of grouped counts.
        test_share: share of the data in the test parts of random splits; ``None``: one over the number of folds.
        interactions: highest order of interactions; ``None``: by the design.
        adjust: of contrasts' p values; ``auto``: Tukey for all pairs of a factor, Dunnett against a baseline.
        baseline: level that all others of its factor are compared with.
        by: factors within whose levels the others are compared in any case.
        contrasts: contrasts of one's own: ``{name: {factor: {level: weight}}}``.
        group: column of the manifest whose levels are compared within runs (``gender``).
        sesoi: smallest difference of interest, in the unit of the score, 0 for none; ``None``: see :func:`find_sesoi`.
        alpha: level of the tests.
        draws: of permutations and bootstraps.
        seed: of these draws.

    Raises:
        InputError: values outside their range, or that contradict each other.
    """

    method: str = "auto"
    rows: str = "auto"
    family: str = "auto"
    anova_type: int | None = None
    reml: bool = True
    formula: str | None = None
    trials: str | None = None
    test_share: float | None = None
    interactions: int | None = None
    adjust: str = "auto"
    baseline: str | None = None
    by: Sequence[str] = ()
    contrasts: Mapping[str, Any] = field(default_factory=dict)
    group: str | None = None
    sesoi: float | None = None
    alpha: float = 0.05
    draws: int = 9999
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_kinds()
        self._check_known("method", (*METHODS, CLUSTER))
        self._check_known("rows", ("auto", "cells", "runs", "clips"))
        self._check_known("family", ("auto", "gaussian", "binomial"))
        self._check_known("anova_type", (None, 2, 3))
        self._check_known("adjust", ("auto", *ADJUSTMENTS))
        self._check_range("sesoi", self.sesoi is None or self.sesoi >= 0, "0 (none) or more")
        self._check_range("alpha", 0 < self.alpha < 1, "a number between 0 and 1")
        self._check_range("draws", self.draws >= 0, "0 or more")
        self._check_range("interactions", self.interactions is None or self.interactions >= 1, "1 or more")
        self._check_range("test_share", self.test_share is None or 0 < self.test_share < 1, "between 0 and 1")
        if self.trials and self.family == "gaussian":
            raise InputError(
                f"statistics.trials={self.trials}: counts of trials are binomial",
                remedy="leave statistics.family out, or set it to binomial",
            )

    @property
    def binomial(self) -> bool:
        """Whether a logit model is wanted."""
        return self.family == "binomial" or (self.family == "auto" and (bool(self.trials) or self.rows == "clips"))

    def _check_kinds(self) -> None:
        numbers = {"test_share", "interactions", "sesoi", "alpha", "draws", "seed"}
        for name in numbers:
            value = getattr(self, name)
            self._check_range(name, value is None or isinstance(value, int | float), "a number")
        self._check_range("contrasts", isinstance(self.contrasts, Mapping), "{name: {factor: {level: weight}}}")
        self._check_range("reml", isinstance(self.reml, bool), "true or false")

    def _check_known(self, name: str, known: Sequence[object]) -> None:
        self._check_range(name, getattr(self, name) in known, ", ".join(map(str, known)))

    def _check_range(self, name: str, fine: bool, expected: str) -> None:
        if not fine:
            raise InputError(f"statistics.{name}={getattr(self, name)}", expected=expected)


def find_sesoi(settings: Settings, scores: pd.Series) -> float | None:
    """The smallest difference of interest: the user's, else two points where scores lie between -1 and 1.

    None in other units (milliseconds, per cent), where two hundredths mean nothing.
    """
    if settings.sesoi is not None:
        return settings.sesoi or None
    return SESOI if scores.abs().max() <= 1 else None
