"""Small embeddings with known contents: what predicts what is decided here."""

from dataclasses import dataclass

import numpy as np

from ser.explainer.probing.folds import make_division
from ser.explainer.probing.ridge import Division


@dataclass(frozen=True)
class Toy:
    """Clips of speakers who show every class equally often."""

    values: np.ndarray
    targets: np.ndarray
    classes: np.ndarray
    speakers: np.ndarray
    divisions: list[Division]

    @property
    def cells(self):
        return self.speakers * (self.classes.max() + 1) + self.classes


def make_toy(speakers=8, classes=3, takes=6, dims=40, targets=3, noise=0.3, seed=0, folds=4, label=1.0):
    """Targets are linear in the first dimensions; the last dimensions know the class."""
    rng = np.random.default_rng(seed)
    speaker, kind, _ = (axis.ravel() for axis in np.mgrid[:speakers, :classes, :takes])
    values = rng.normal(size=(len(speaker), dims))
    values[:, -classes:] += label * 2 * np.eye(classes)[kind]
    weights = np.zeros((dims, targets))
    weights[: dims // 4] = rng.normal(size=(dims // 4, targets))
    true = values @ weights
    true = true + noise * true.std(0) * rng.normal(size=true.shape)
    return Toy(values, true, kind, speaker, divide(speaker, folds))


def divide(speakers, folds=4, inner=3):
    import pandas as pd

    found = []
    for fold in range(folds):
        test = np.flatnonzero(speakers % folds == fold)
        train = np.flatnonzero(speakers % folds != fold)
        found.append(make_division(str(fold), pd.Series(speakers), train, test, inner))
    return found
