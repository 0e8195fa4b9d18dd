"""Similarities accumulated over minibatches of clips, so that memory does not grow with the corpus.

CKA of minibatches is a ratio of sums of HSIC (Nguyen, Raghu & Kornblith, 2021): the unbiased HSIC of a few clips
estimates that of all, so the debiased forms do not depend on the size of the batches, whereas usual linear CKA does.
CCA and RSA are means over minibatches. With one batch all of them are those of all clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ser.explainer.groups import find_reach
from ser.explainer.layers.similarity import (
    LEAST,
    centre,
    centre_unbiased,
    correlate,
    find_distances,
    fold,
    multiply,
    normalise,
    rank_distances,
    spread_radially,
    whiten,
)

#: What is measured, and what it is called in figures.
MEASURES = {
    "cka_debiased": "CKA, debiased",
    "cka": "CKA, linear",
    "cka_rbf": "CKA, RBF kernel, debiased",
    "cca": "mean squared CCA, adjusted",
    "rsa": "RSA (Spearman)",
}


class Similarities:
    """All pairs of S representations.

    Args:
        size: S.
        variance: share that principal components hold before CCA.
        groups: speakers are in so many groups, each of which is left out once for the interval (jackknife).
    """

    def __init__(self, size: int, variance: float, groups: int) -> None:
        self.variance = variance
        self.clips = 0
        self.batches = 0
        self._sums = {name: np.zeros((size, size)) for name in MEASURES}
        self._without = np.zeros((groups, size, size))

    def add(self, values: Sequence[np.ndarray], groups: np.ndarray) -> None:
        """A minibatch of N clips.

        Args:
            values: of each representation [N, D_s].
            groups: number of the group of each clip's speaker [N].
        """
        count = len(groups)
        if count < LEAST:
            return
        grams = [multiply(each).astype(np.float32) for each in values]
        distances = [find_distances(gram) for gram in grams]
        found = {
            "cka": product([fold(centre(gram)) for gram in grams]) / (count - 1) ** 2,
            "cka_debiased": unbiased(grams),
            "cka_rbf": unbiased([spread_radially(each) for each in distances]),
            "cca": correlate([whiten(each, self.variance) for each in values]),
            "rsa": product([rank_distances(each) for each in distances]),
        }
        for name, matrix in found.items():
            self._sums[name] += count * matrix
        for group in range(len(self._without)):
            kept = np.flatnonzero(groups != group)
            if LEAST <= len(kept) < count:
                self._without[group] += len(kept) * unbiased([gram[np.ix_(kept, kept)] for gram in grams])
            elif len(kept) == count:
                self._without[group] += count * found["cka_debiased"]
        self.clips += count
        self.batches += 1

    def find(self) -> dict[str, np.ndarray]:
        """Each measure [S, S]."""
        means = {name: sums / max(self.clips, 1) for name, sums in self._sums.items()}
        return {name: normalise(mean) if name.startswith("cka") else mean for name, mean in means.items()}

    def find_limits(self) -> np.ndarray:
        """Interval [2, S, S] of debiased CKA over speakers; NaN with one group."""
        value = self.find()["cka_debiased"]
        reach = find_reach(np.stack([normalise(each) for each in self._without]))
        return np.clip([value - reach, value + reach], -1, 1)


def unbiased(kernels: Sequence[np.ndarray]) -> np.ndarray:
    """Unbiased HSIC [S, S] of kernels [N, N]."""
    count = len(kernels[0])
    return product([fold(centre_unbiased(kernel.astype(np.float64))) for kernel in kernels]) / (count * (count - 3))


def product(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Inner products [S, S] of vectors."""
    stacked = np.stack(vectors)
    return (stacked @ stacked.T).astype(np.float64)


def cut_batches(count: int, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Numbers of so many clips in minibatches of nearly equal size, at most ``size``; drawn, if there are several."""
    parts = -(-count // size)
    order = rng.permutation(count) if parts > 1 else np.arange(count)
    return [np.sort(part) for part in np.array_split(order, parts)] if count else []
