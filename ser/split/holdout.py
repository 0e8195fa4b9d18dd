"""One division of the speakers into training and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ser.dataset.manifest import Manifest
from ser.errors import InputError
from ser.split.base import Splitter, check_share
from ser.split.fold import Split, make_fold


@dataclass(kw_only=True)
class Holdout(Splitter):
    """Holds out a share of the speakers, balanced by ``stratify``; one fold.

    Args:
        test_share: share of the speakers and of the clips that is tested.
    """

    test_share: float = 0.2

    def divide(self, manifest: Manifest) -> Split:
        """One fold, named ``holdout``.

        Raises:
            InputError: one speaker only, or a share that is none.
        """
        check_share("split.test_share", self.test_share)
        if len(manifest.speakers) < 2:
            raise InputError(
                f"split=holdout: {manifest.name} has one speaker only ({manifest.speakers[0]})",
                expected="at least two speakers",
                remedy="split=logo split.group=sentence split.allow_overlap=true scores within a speaker",
            )
        rows = np.arange(len(manifest))
        train, test = self.dealer(manifest.frame).deal(rows, [1 - self.test_share, self.test_share], self.seed)
        return Split([make_fold(0, "holdout", train, test)])
