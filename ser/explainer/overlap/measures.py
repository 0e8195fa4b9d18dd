"""Three measures of how far classes overlap, from moments or neighbours; each gives [..., K, K].

- ``interval3pc``: on each of three principal components the interval of mean ± 2 SD of every class, the intersection
  of two over their union, multiplied over components (Kumar et al., Interspeech 2021). It ignores covariance, and is
  another number where the axes are turned.
- ``bhattacharyya``: the coefficient of two Gaussians with shrunk covariances (Ledoit & Wolf, 2004). 1 where they are
  the same; the error with which the two, if equally frequent, can be told apart at best is half of it or less
  (Kailath, 1967).
- ``knn``: the share of a class's nearest neighbours that belong to another; the diagonal is the purity.
"""

from __future__ import annotations

import numpy as np

INTERVAL, GAUSSIAN, NEIGHBOURS, PURITY = "interval3pc", "bhattacharyya", "knn", "purity"
#: Components and SDs of the published intervals.
AXES, REACH = 3, 2.0
#: Variance of a class whose clips are all the same, in units of all clips'.
SMALLEST = 1e-6


def intersect(means: np.ndarray, deviations: np.ndarray, reach: float = REACH) -> np.ndarray:
    """Products [..., K, K] over components of the intersections of intervals over their unions.

    Args:
        means: of K classes on A components [..., K, A].
        deviations: likewise.
        reach: SDs on either side.
    """
    low, high = means - reach * deviations, means + reach * deviations
    both = np.minimum(high[..., :, None, :], high[..., None, :, :]) - np.maximum(
        low[..., :, None, :], low[..., None, :, :]
    )
    # Of intervals that meet, the span is the union; others share nothing, however far apart they are.
    span = np.maximum(high[..., :, None, :], high[..., None, :, :]) - np.minimum(
        low[..., :, None, :], low[..., None, :, :]
    )
    shares = np.divide(np.maximum(both, 0), span, out=np.ones_like(both), where=span > 0)
    return np.where(np.isnan(both), np.nan, shares).prod(-1)


def find_coefficients(means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Bhattacharyya coefficients [..., K, K] of Gaussians with means [..., K, P] and covariances [..., K, P, P].

    A Gaussian whose mean is not finite has none.
    """
    known = np.isfinite(means).all(-1)
    size = means.shape[-1]
    means = np.where(known[..., None], means, 0)
    covariances = np.where(known[..., None, None], covariances, np.eye(size))
    middle = (covariances[..., :, None, :, :] + covariances[..., None, :, :, :]) / 2
    apart = means[..., :, None, :] - means[..., None, :, :]
    solved = np.linalg.solve(middle, apart[..., None])[..., 0]
    own = np.linalg.slogdet(covariances)[1]
    spread = np.linalg.slogdet(middle)[1] - (own[..., :, None] + own[..., None, :]) / 2
    distance = (apart * solved).sum(-1) / 8 + spread / 2
    return np.where(known[..., :, None] & known[..., None, :], np.exp(-np.maximum(distance, 0)), np.nan)


def shrink(covariances: np.ndarray, intensity: np.ndarray) -> np.ndarray:
    """Covariances [..., K, P, P] drawn towards spheres of the same total variance by shares [K]."""
    size = covariances.shape[-1]
    level = np.maximum(np.trace(covariances, axis1=-2, axis2=-1) / size, SMALLEST)
    share = intensity[:, None, None]
    return (1 - share) * covariances + share * level[..., None, None] * np.eye(size)


def find_intensities(values: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """How much the covariance of each class is to be shrunk [K] (Ledoit & Wolf, 2004); 1 with fewer than two clips.

    At least by one part in the number of its clips: with two the estimate is 0, since their deviations are alike.
    """
    from sklearn.covariance import ledoit_wolf

    groups = [values[classes == number] for number in range(count)]
    return np.array([max(ledoit_wolf(own)[1], 1 / len(own)) if len(own) > 1 else 1.0 for own in groups])


def find_distances(values: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Squared distances [N, N] of clips [N, D], infinite where two cannot be neighbours.

    Neighbours are clips of other speakers [N], where there are several: what is alike in two clips of one speaker may
    be the voice.
    """
    exact = values.astype(np.float64)
    norms = (exact**2).sum(1)
    distances = norms[:, None] + norms[None] - 2 * exact @ exact.T
    same = speakers[:, None] == speakers[None]
    distances[np.eye(len(exact), dtype=bool) if same.all() else same] = np.inf
    return distances


def pick_neighbours(distances: np.ndarray, count: int) -> np.ndarray:
    """Row numbers [N, k] of the nearest by distances [N, N]; fewer than ``count`` if one row has no more."""
    fewest = int(np.isfinite(distances).sum(1).min())
    return np.argsort(distances, axis=1, kind="stable")[:, : min(count, fewest)]


def average_others(matrix: np.ndarray) -> np.ndarray:
    """Mean off the diagonal [...] of [..., K, K]; cells that are NaN do not count."""
    off = ~np.eye(matrix.shape[-1], dtype=bool)
    cells = matrix[..., off]
    known = np.isfinite(cells)
    total = np.where(known, cells, 0).sum(-1)
    return np.divide(total, known.sum(-1), out=np.full(total.shape, np.nan), where=known.any(-1))


def average_own(matrix: np.ndarray) -> np.ndarray:
    """Mean of the diagonal [...] of [..., K, K]; cells that are NaN do not count."""
    cells = np.diagonal(matrix, axis1=-2, axis2=-1)
    known = np.isfinite(cells)
    total = np.where(known, cells, 0).sum(-1)
    return np.divide(total, known.sum(-1), out=np.full(total.shape, np.nan), where=known.any(-1))
