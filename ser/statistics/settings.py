"""What a user decides about an analysis; everything else follows from the design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ser.errors import InputError
from ser.statistics.choose import METHODS


@dataclass(frozen=True)
class Settings:
    """A choice of the group ``statistics``.

    Args:
        method: ``auto`` (by the design), or one of :data:`ser.statistics.choose.METHODS`.
        rows: ``cells`` (a trained model on a test speaker), ``runs``, or ``auto``.
        family: ``gaussian``, or ``binomial`` for shares and counts.
        anova_type: 2 or 3; ``None``: Type II, and III beside it.
        formula: of a mixed model, in place of the one that the design implies.
        trials: column with the number of trials of grouped counts.
        interactions: highest order of interactions; ``None``: by the design.
        adjust: of contrasts' p values; ``auto``: Tukey for all pairs of a factor, Holm for other families.
        baseline: level that all others of its factor are compared with.
        group: column of the manifest whose levels are compared within runs (``gender``).
        sesoi: smallest difference of interest, in the unit of the score.
        alpha: level of the tests.
        draws: of permutations and bootstraps.
        seed: of these draws.

    Raises:
        InputError: values outside their range.
    """

    method: str = "auto"
    rows: str = "auto"
    family: str = "gaussian"
    anova_type: int | None = None
    formula: str | None = None
    trials: str | None = None
    interactions: int | None = None
    adjust: str = "auto"
    baseline: str | None = None
    group: str | None = None
    sesoi: float = 0.02
    alpha: float = 0.05
    draws: int = 9999
    seed: int = 0

    def __post_init__(self) -> None:
        self._check("method", METHODS)
        self._check("rows", ("auto", "cells", "runs"))
        self._check("family", ("gaussian", "binomial"))
        self._check("anova_type", (None, 2, 3))
        if not (self.sesoi >= 0 and 0 < self.alpha < 1 and self.draws >= 0):
            raise InputError(
                f"statistics: sesoi={self.sesoi}, alpha={self.alpha}, draws={self.draws}",
                expected="sesoi and draws of 0 or more, alpha between 0 and 1",
            )

    def _check(self, name: str, known: Sequence[object]) -> None:
        if getattr(self, name) not in known:
            raise InputError(f"statistics.{name}={getattr(self, name)}", expected=", ".join(map(str, known)))
