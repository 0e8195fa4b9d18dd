"""How alike two maps are, and how complex one is."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, stats

#: Share of the cells that count as the top of a map.
TOP = 0.2
#: Bins of the histogram whose entropy is a map's complexity (Hedström et al. 2024).
BINS = 100
#: Standard deviation in cells of the window of structural similarity, and its constant for values from -1 to 1.
WINDOW, STABILISER = 1.5, (0.03 * 2) ** 2


def correlate_ranks(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation of two maps of the same cells; NaN where one of them is constant."""
    a, b = np.ravel(a), np.ravel(b)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


def overlap_tops(a: np.ndarray, b: np.ndarray, share: float = TOP) -> float:
    """Intersection over union of the cells [N] with the highest values; of equal cells the first ones count."""
    count = max(1, round(share * a.size))
    tops = [set(np.argsort(-np.ravel(one), kind="stable")[:count].tolist()) for one in (a, b)]
    return len(tops[0] & tops[1]) / len(tops[0] | tops[1])


def measure_change(a: np.ndarray, b: np.ndarray) -> float:
    """Euclidean distance of a map from another, relative to the size of the first; NaN for a first map of zeros."""
    size = float(np.linalg.norm(a))
    return float(np.linalg.norm(np.asarray(b) - a)) / size if size else float("nan")


def compare_structure(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) of two maps [freq, time], each divided by its largest absolute value.

    Without its term for lightness, which takes two negative values for two positive ones: 1 for equal maps, -1 for
    opposite ones, about 0 for unrelated ones; NaN where one is zero everywhere.
    """
    if not np.any(a) or not np.any(b):
        return float("nan")
    first, second = (np.asarray(one, dtype=float) / np.abs(one).max() for one in (a, b))
    means = [_blur(one) for one in (first, second)]
    variances = [_blur(one**2) - mean**2 for one, mean in zip((first, second), means, strict=True)]
    covariance = _blur(first * second) - means[0] * means[1]
    return float(np.mean((2 * covariance + STABILISER) / (variances[0] + variances[1] + STABILISER)))


def measure_complexity(values: np.ndarray) -> float:
    """Entropy in nats of a map's histogram; greater for maps whose values spread (Hedström et al. 2024)."""
    counts, _ = np.histogram(values, bins=BINS)
    return float(stats.entropy(counts))


def _blur(values: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(values, WINDOW, mode="reflect")
