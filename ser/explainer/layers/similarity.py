"""Similarities of representations of the same clips: CKA, canonical correlation, and that of dissimilarities.

All of them are computed for all pairs of S representations at once: each representation becomes one long vector (the
upper triangle of a matrix of clips by clips), and pairs are inner products of these.

- **CKA** (Kornblith et al., 2019): normalised HSIC of two kernels. Linear, as usually computed, it is biased upwards,
  the more so the fewer clips there are for the dimensions; the debiased form (Nguyen et al., 2021) rests on the
  unbiased HSIC of Song et al. (2012) and is 0 on average where two representations have nothing in common.
- **CCA**: mean squared canonical correlation of principal components, as in SVCCA (Raghu et al., 2017), less what as
  many components of noise would have.
- **RSA** (Kriegeskorte et al., 2008): Spearman's correlation of the clips' distances.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser.explainer.probing.ridge import LIMIT
from ser.head.data import find_spread

#: Width of the RBF kernel as a share of the median distance between clips (Kornblith et al., 2019).
WIDTH = 0.8
#: Fewest clips that the unbiased HSIC is defined for.
LEAST = 4
#: At most one component for so many clips enters CCA.
CLIPS_PER_COMPONENT = 5


def standardise(values: np.ndarray) -> np.ndarray:
    """Dimensions [N, D] in SDs from their means, within :data:`ser.explainer.probing.ridge.LIMIT`, float64."""
    mean, scale = find_spread(values)
    return np.clip((values.astype(np.float64) - mean) / scale, -LIMIT, LIMIT)


# ---- matrices of clips by clips


def multiply(values: np.ndarray) -> np.ndarray:
    """Linear kernel [N, N] of values [N, D], scaled so that its trace is N."""
    exact = values.astype(np.float64)
    exact = exact - exact.mean(0)
    gram = exact @ exact.T
    return gram / max(np.trace(gram) / len(gram), np.finfo(float).tiny)


def find_distances(gram: np.ndarray) -> np.ndarray:
    """Squared distances [N, N] of clips from their linear kernel."""
    norms = np.diagonal(gram)
    found = np.maximum(norms[:, None] + norms[None] - 2 * gram, 0)
    np.fill_diagonal(found, 0)
    return found


def spread_radially(distances: np.ndarray, width: float = WIDTH) -> np.ndarray:
    """RBF kernel [N, N] of squared distances, its width a share of the median distance."""
    above = distances[np.triu_indices(len(distances), 1)]
    middle = np.median(above[above > 0]) if (above > 0).any() else 1.0
    return np.exp(-distances / (2 * width**2 * middle))


def centre(kernel: np.ndarray) -> np.ndarray:
    """Rows and columns [N, N] less their means; the inner product of two such matrices is (N - 1)² times HSIC."""
    rows = kernel.mean(0)
    return kernel - rows[:, None] - rows[None] + rows.mean()


def centre_unbiased(kernel: np.ndarray) -> np.ndarray:
    """The same without the diagonal: inner products are N (N - 3) times the unbiased HSIC (Song et al., 2012).

    In the form of Székely & Rizzo (2014), whose U-centred matrices give it as a plain inner product.
    """
    count = len(kernel)
    off = kernel.copy()
    np.fill_diagonal(off, 0)
    rows = off.sum(0) / (count - 2)
    found = off - rows[:, None] - rows[None] + off.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(found, 0)
    return found


def fold(matrix: np.ndarray) -> np.ndarray:
    """A symmetric matrix [N, N] as a vector, float32, so that inner products of vectors are those of matrices."""
    above = matrix[np.triu_indices(len(matrix), 1)] * np.sqrt(2)
    return np.concatenate([np.diagonal(matrix), above]).astype(np.float32)


def rank_distances(distances: np.ndarray) -> np.ndarray:
    """Ranks of the pairs' distances, standardised, float32: inner products are Spearman correlations."""
    from scipy.stats import rankdata

    ranks = rankdata(distances[np.triu_indices(len(distances), 1)])
    ranks -= ranks.mean()
    size = np.sqrt((ranks**2).sum())
    return (ranks / size if size > 0 else ranks).astype(np.float32)


# ---- canonical correlation


def whiten(values: np.ndarray, variance: float, most: int | None = None) -> np.ndarray:
    """Principal components [N, P] that hold a share of the variance, orthonormal.

    Args:
        values: [N, D].
        variance: the share.
        most: components; by default one for :data:`CLIPS_PER_COMPONENT` clips, since more of them correlate by chance.
    """
    exact = values.astype(np.float64)
    left, sizes, _ = np.linalg.svd(exact - exact.mean(0), full_matrices=False)
    shares = sizes**2 / max((sizes**2).sum(), np.finfo(float).tiny)
    kept = int(np.searchsorted(np.cumsum(shares), variance - 1e-12) + 1)
    known = int((sizes > 1e-10 * max(sizes[0], np.finfo(float).tiny)).sum())
    limit = max(1, len(exact) // CLIPS_PER_COMPONENT) if most is None else most
    return left[:, : max(1, min(kept, known, limit))]


def correlate(bases: Sequence[np.ndarray], adjust: bool = True) -> np.ndarray:
    """Mean squared canonical correlation [S, S] of orthonormal bases [N, P_s].

    Args:
        bases: of :func:`whiten`.
        adjust: take out what noise has, so that it is 0 on average (as the adjusted R² does).
    """
    sizes = np.array([basis.shape[1] for basis in bases])
    joined = np.concatenate(bases, axis=1)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums = np.stack([np.add.reduceat(((basis.T @ joined) ** 2).sum(0), starts) for basis in bases])
    found = sums / np.minimum.outer(sizes, sizes)
    if not adjust:
        return found
    chance = np.maximum.outer(sizes, sizes) / (len(joined) - 1)
    return (found - chance) / np.maximum(1 - chance, np.finfo(float).tiny)


# ---- ratios


def normalise(products: np.ndarray) -> np.ndarray:
    """CKA [S, S] of HSIC [S, S]; NaN beside a representation without variance."""
    own = np.diagonal(products)
    size = np.sqrt(np.where(own > 0, own, np.nan))
    return products / size[:, None] / size[None]
