"""Permutation tests of model terms: how often shuffled scores give an F as large as the observed one.

Freedman and Lane (1983): the residuals of the model without the tested term are shuffled and tested in the full model,
so the other terms stay as they are. Rows are shuffled within blocks only (shared seeds, folds): between blocks they are
not exchangeable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

DRAWS = 9999
#: Numbers held at once (rows x draws of one batch).
BATCH = 2_000_000
#: An F within this share of the observed one counts as equal: the same shuffle, summed in another order.
TIE = 1e-9


def permute_terms(
    design: np.ndarray,
    response: np.ndarray,
    hypotheses: Mapping[str, np.ndarray],
    strata: np.ndarray | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, float]:
    """Permutation p of each term's F.

    Args:
        design: model matrix [N, P], of any rank.
        response: scores [N].
        hypotheses: term -> combinations [Q, P] of the coefficients that are zero without it.
        strata: block [N] of every row, numbers or names; rows are shuffled within blocks. None: all rows together.
        draws: shuffles; p is at least 1 / (draws + 1), since the observed order is one of them.
        seed: of the shuffles. The same table gives the same p in any order of its rows.

    Returns:
        p by term; NaN where shuffling cannot change F, as for the blocks themselves.
    """
    basis = _span(design)
    df_resid = len(design) - basis.shape[1]
    order = _sort_rows(basis, response)
    basis, response = basis[order], response[order]
    codes = np.zeros(len(order), dtype=int) if strata is None else pd.factorize(np.asarray(strata)[order])[0]
    parts = {term: _find_directions(design, rows)[order] for term, rows in hypotheses.items()}
    residuals = response - basis @ (basis.T @ response)

    observed = {}
    reached = {}
    for term, part in parts.items():
        reduced = residuals + part @ (part.T @ response)
        observed[term] = _compute_f(reduced[None], part, basis, df_resid)[0]
        reached[term] = 1
    for shuffles in _shuffle_within(codes, draws, np.random.default_rng(seed)):
        for term, part in parts.items():
            reduced = residuals + part @ (part.T @ response)
            drawn = _compute_f(reduced[shuffles], part, basis, df_resid)
            reached[term] += int((drawn >= observed[term] * (1 - TIE)).sum())
    return {
        term: reached[term] / (draws + 1) if _varies_within(part, codes) else float("nan")
        for term, part in parts.items()
    }


def _span(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal basis [N, R] of the columns of a matrix [N, P]."""
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    return left[:, sizes > 1e-9 * sizes[0]] if len(sizes) else left


def _find_directions(design: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Orthonormal directions [N, Q] of the scores that combinations [Q, P] of the coefficients measure."""
    if not len(rows):
        return np.zeros((len(design), 0))
    return _span(np.linalg.pinv(design, rcond=1e-9).T @ rows.T)


def _sort_rows(basis: np.ndarray, response: np.ndarray) -> np.ndarray:
    """An order of the rows that depends neither on the order they came in nor on the names of levels."""
    fitted = np.round(basis @ (basis.T @ response) / max(np.abs(response).max(), 1e-300), 9)
    leverage = np.round((basis**2).sum(1), 9)
    return np.lexsort((leverage, fitted, response))


def _shuffle_within(codes: np.ndarray, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield batches [B, N] of row numbers, shuffled within equal codes, ``draws`` in all."""
    grouped = np.argsort(codes, kind="stable")
    size = max(1, BATCH // len(codes))
    for start in range(0, draws, size):
        keys = codes + rng.random((min(size, draws - start), len(codes)))
        shuffles = np.empty(keys.shape, dtype=int)
        shuffles[:, grouped] = np.argsort(keys, axis=1)
        yield shuffles


def _compute_f(scores: np.ndarray, part: np.ndarray, basis: np.ndarray, df_resid: int) -> np.ndarray:
    """F [B] of a term with directions [N, Q] for scores [B, N], in the model with the basis [N, R]."""
    explained = ((scores @ part) ** 2).sum(1) / max(part.shape[1], 1)
    left = (scores**2).sum(1) - ((scores @ basis) ** 2).sum(1)
    return explained / (left / df_resid)


def _varies_within(part: np.ndarray, codes: np.ndarray) -> bool:
    """Whether the directions [N, Q] of a term differ between rows of the same block."""
    means = pd.DataFrame(part).groupby(codes).transform("mean").to_numpy()
    return bool(part.shape[1] and np.abs(part - means).max() > 1e-9)
