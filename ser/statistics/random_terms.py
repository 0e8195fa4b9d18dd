"""Random terms of a mixed model: which groupings the data can tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.formula import RandomTerm
from ser.statistics.linear import ModelMatrix


def as_random(term: str | Sequence[str] | RandomTerm) -> RandomTerm:
    """A random term from a column, columns to cross, or itself."""
    if isinstance(term, RandomTerm):
        return term
    return RandomTerm((term,) if isinstance(term, str) else tuple(term))


def list_droppable(random: Sequence[RandomTerm]) -> list[RandomTerm]:
    """Interactions, those of most columns first; among equals the last named goes first."""
    crossed = [term for term in reversed(random) if len(term.columns) > 1]
    return sorted(crossed, key=lambda term: -len(term.columns))


def _is_fixed(fixed: np.ndarray, codes: np.ndarray) -> bool:
    """Whether the indicators of all groups [N] are combinations of the fixed columns [N, P]."""
    left, sizes, _ = np.linalg.svd(fixed, full_matrices=False)
    basis = left[:, sizes > 1e-9 * sizes[0]]
    sums = np.zeros((codes.max() + 1, basis.shape[1]))
    np.add.at(sums, codes, basis)
    return bool(np.allclose((sums**2).sum(1), np.bincount(codes), rtol=1e-8))


def check_random(
    table: pd.DataFrame,
    matrix: ModelMatrix,
    random: Sequence[RandomTerm],
    family: str,
    weights: np.ndarray | None = None,
) -> tuple[list[RandomTerm], list[str], list[str]]:
    """Random terms the data can tell apart, the others, and why they are left out.

    A term goes if its groups are one, or those of an earlier term, or (Gaussian, unweighted) the single rows.

    Raises:
        InputError: groups that the fixed effects determine (one run per condition, say), since nothing then measures
            the error of a condition; no term left.
    """
    kept: list[RandomTerm] = []
    seen: list[np.ndarray] = []
    dropped, words = [], []
    for term in random:
        codes = code_groups(table, term.columns)
        count = int(codes.max()) + 1
        same = next((other for other, known in zip(kept, seen, strict=True) if np.array_equal(known, codes)), None)
        if count == 1:
            words.append(f"{term} left out: {term.group} has one level")
        elif same is not None and not term.slopes:
            words.append(f"{term} left out: its groups are those of {same.group}")
        elif count == len(table) and family == "gaussian" and weights is None:
            words.append(f"{term} left out: it has one row per group, so it is the residual")
        elif not term.slopes and _is_fixed(matrix.coded, codes):
            raise InputError(
                f"{term.group} cannot be told from the fixed effects: no condition has two of them",
                expected=f"several {term.group} in at least one combination of {', '.join(matrix.factors)}",
                remedy=f"run more seeds, or leave {term.group} out and say what the conclusion then speaks of",
            )
        else:
            kept.append(term)
            seen.append(codes)
            continue
        dropped.append(str(term))
    if not kept:
        raise InputError("no random term is left", expected="at least one with several groups", remedy="; ".join(words))
    return kept, dropped, words


def code_groups(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Group number [N] of every row, by order of appearance, so that equal groupings have equal numbers."""
    return table.groupby(list(columns), sort=False, observed=True).ngroup().to_numpy()
