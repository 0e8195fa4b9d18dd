"""Cross-validation over groups of speakers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ser.dataset.manifest import Manifest
from ser.errors import InputError
from ser.split.base import Splitter, check_whole
from ser.split.fold import Split, make_fold


@dataclass(kw_only=True)
class KFold(Splitter):
    """Tests every speaker once, in one of ``folds`` groups balanced by ``stratify``.

    Args:
        folds: number of groups.
    """

    folds: int = 5

    def divide(self, manifest: Manifest) -> Split:
        """Folds named 0, 1, ….

        Raises:
            InputError: more folds than speakers.
        """
        check_whole("split.folds", self.folds, 2)
        speakers = len(manifest.speakers)
        if self.folds > speakers:
            raise InputError(
                f"split.folds={self.folds}: {manifest.name} has {speakers} speaker{'s' if speakers > 1 else ''}",
                expected=f"at most {speakers} folds, because a speaker is in one fold only",
                remedy=f"split.folds={speakers}, or split=loso" if speakers > 1 else "a corpus with more speakers",
            )
        rows = np.arange(len(manifest))
        parts = self.dealer(manifest.frame).deal(rows, [1.0] * self.folds, self.seed)
        return Split([make_fold(k, str(k), np.setdiff1d(rows, test), test) for k, test in enumerate(parts)])
