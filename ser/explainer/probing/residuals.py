"""Class and speaker taken out of embeddings and targets inside a fold, and targets permuted within both.

What is left of a functional says what it does among clips of one speaker in one emotion: an embedding that only knows
the emotion, or the voice, predicts nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Residualiser:
    """Least squares on class and speaker, additive; classes' effects are learnt from fitting rows alone.

    A held-out speaker is unknown to the fit, so every speaker's own mean is taken out of his clips, which for fitting
    rows is the least-squares solution (its normal equation for a speaker says that his residuals sum to 0).

    Attributes:
        classes: number of each row's class [N].
        speakers: number of each row's speaker [N].
    """

    classes: np.ndarray
    speakers: np.ndarray

    def __call__(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Residuals of values [N, D] of all rows, by effects that fitting rows show."""
        exact = values.astype(np.float64)
        dummies = np.eye(self.classes.max() + 1)[self.classes]
        within = demean(dummies[rows], self.speakers[rows])
        effects = np.linalg.lstsq(within, demean(exact[rows], self.speakers[rows]), rcond=None)[0]
        return demean(exact - dummies @ effects, self.speakers)


def demean(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Values [N, D] less the mean of their group [N]."""
    found, place = np.unique(groups, return_inverse=True)
    totals = np.zeros((len(found), values.shape[1]))
    np.add.at(totals, place, values)
    return values - (totals / np.bincount(place)[:, None])[place]


def permute_within(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row numbers [N] in which every row is replaced by one of its group [N]."""
    order = np.lexsort((rng.random(len(groups)), groups))
    found = np.empty(len(groups), dtype=int)
    found[np.argsort(groups, kind="stable")] = order
    return found


def cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of each row's pair of groups [N]."""
    return np.unique(np.stack([first, second]), axis=1, return_inverse=True)[1].ravel()
