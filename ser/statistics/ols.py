"""Least-squares fits of factorial models: one row per trained model and its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from ser.errors import InputError
from ser.statistics.cells import Completeness, check_rank, count_cells, list_terms, number_cells
from ser.statistics.linear import LinearFit
from ser.statistics.matrix import build_matrix, find_null_space, keep_complete, write_formula


@dataclass(kw_only=True)
class OlsFit(LinearFit):
    """A least-squares fit of N rows.

    Attributes:
        design: model matrix [N, P]; observed, fitted, residuals, leverage: [N].
        df_resid: N minus the rank of the design.
        blocks: factors that only take variance out (shared seeds, folds); ``block_effects`` [N] is what they take.
        cells, strata: number [N] of each row's combination of factors and of blocks.
        balanced: every combination of factors occurs equally often, in every block.
        completeness: whether the rows determine every coefficient, and what is missing if not.
        notes: what a reader must know of this fit, in words.
    """

    design: np.ndarray
    observed: np.ndarray
    fitted: np.ndarray
    residuals: np.ndarray
    leverage: np.ndarray
    df_resid: int
    blocks: tuple[str, ...]
    block_effects: np.ndarray
    cells: np.ndarray
    strata: np.ndarray
    balanced: bool
    completeness: Completeness
    notes: list[str]

    @property
    def sum_sq_resid(self) -> float:
        """Residual sum of squares."""
        return float(self.residuals @ self.residuals)


def fit_ols(
    table: pd.DataFrame,
    response: str,
    factors: Sequence[str],
    *,
    interactions: int | None = None,
    blocks: Sequence[str] = (),
    terms: Sequence[Sequence[str]] | None = None,
) -> OlsFit:
    """Fit a factorial model by least squares.

    Args:
        table: one row per run; rows without a value in a used column are left out and counted in the notes.
        response: column of scores.
        factors: columns whose effects are asked for.
        interactions: highest order of interactions; by default :func:`choose_order`.
        blocks: columns that enter as main effects only, before the factors.
        terms: effects and interactions by column name, in place of ``interactions``.

    Raises:
        InputError: no such column, a factor with one level, no rows left to estimate the error from, scores that do not
            vary within cells.
    """
    given, table = len(table), keep_complete(table, [response, *factors, *blocks])
    wanted = list_terms(table, factors, interactions, blocks, terms)
    matrix = build_matrix(table, [*blocks, *factors], wanted)
    design, scores = matrix.coded, table[response].to_numpy(dtype=float)
    null_space = find_null_space(design)
    rank = design.shape[1] - null_space.shape[1]
    df_resid = len(scores) - rank
    if df_resid < 1:
        raise InputError(
            f"{len(scores)} rows, {rank} coefficients: nothing is left to estimate the error from",
            remedy="more seeds, or interactions of fewer factors",
        )
    inverse = np.linalg.pinv(design.T @ design, rcond=1e-9, hermitian=True)
    # Centred scores lose fewer digits; the intercept takes the mean back.
    mean = float(scores.mean())
    beta = inverse @ (design.T @ (scores - mean))
    residuals = scores - mean - design @ beta
    beta[0] += mean
    spread = float(((scores - mean) ** 2).sum())
    variance = float(residuals @ residuals) / df_resid
    if not residuals @ residuals > 1e-20 * max(spread, mean**2):
        raise InputError(
            f"{response} does not vary within the cells: its error cannot be estimated",
            remedy="runs that repeat the same score are one run; vary the seed of something that matters",
        )
    places = list(chain.from_iterable(matrix.columns[name] for name in blocks))
    counts = count_cells(table, [*factors, *blocks])
    return OlsFit(
        formula=write_formula(response, wanted),
        response=response,
        factors={name: matrix.factors[name] for name in factors},
        names=matrix.names,
        beta=beta,
        vcov=variance * inverse,
        find_df=lambda _: float(df_resid),
        build_row=matrix.build_row,
        terms=matrix.terms[1:],
        columns=matrix.columns,
        information=design.T @ design,
        null_space=null_space,
        scale=float(np.sqrt(variance)),
        design=design,
        observed=scores,
        fitted=scores - residuals,
        residuals=residuals,
        leverage=np.einsum("np,pq,nq->n", design, inverse, design),
        df_resid=df_resid,
        blocks=tuple(blocks),
        block_effects=design[:, places] @ beta[places],
        cells=number_cells(table, factors),
        strata=number_cells(table, blocks),
        balanced=bool((counts == counts.flat[0]).all()),
        completeness=check_rank(table, factors, wanted, blocks),
        notes=[f"{given - len(table)} rows with missing values left out"] if given > len(table) else [],
    )
