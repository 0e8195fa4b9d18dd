"""The publisher's own split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ser.dataset.manifest import PARTS, Manifest
from ser.errors import InputError
from ser.split.base import Splitter
from ser.split.fold import Split, make_fold


@dataclass(kw_only=True)
class Official(Splitter):
    """Takes train, validation and test from the manifest's column ``split``; one fold."""

    def divide(self, manifest: Manifest) -> Split:
        """One fold, named ``official``; clips outside the publisher's split are left out and noted.

        Raises:
            InputError: the corpus has no official split, or one without training or test clips.
        """
        labels = manifest.frame["split"]
        absent = [part for part in ("train", "test") if not (labels == part).any()]
        if absent:
            found = ", ".join(part for part in PARTS if (labels == part).any())
            raise InputError(
                f"split=official: {manifest.name} has no official "
                + (f"{' or '.join(absent)} part (only {found})" if found else "split"),
                expected="train and test in the manifest's column split",
                remedy="split=holdout, kfold or loso; or split=file split.path=… for a published list of clips",
            )
        train, validation, test = (np.flatnonzero(labels == part) for part in PARTS)
        outside = int(labels.isna().sum())
        notes = [f"{outside} clips are in no part of the official split and are left out"] if outside else []
        return Split([make_fold(0, "official", train, test, validation)], notes)
