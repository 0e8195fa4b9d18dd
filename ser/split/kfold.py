"""Cross-validation over groups of speakers, or of the levels of another column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ser.dataset.manifest import Manifest
from ser.errors import InputError
from ser.split.base import Splitter, check_whole
from ser.split.fold import Split, make_fold
from ser.split.strata import check_columns, refuse_missing


@dataclass(kw_only=True)
class KFold(Splitter):
    """Tests every speaker once, in one of ``folds`` groups balanced by ``stratify``.

    With another ``group``, every level of that column is tested once, and validation is carved by it as well. Speakers
    are then in all parts wherever they share levels, which only ``allow_overlap`` permits.

    Args:
        folds: number of groups.
        group: a manifest column, filled for every clip, whose levels stay whole.
    """

    folds: int = 5
    group: str = "speaker"

    def divide(self, manifest: Manifest) -> Split:
        """Folds named 0, 1, ….

        Raises:
            InputError: more folds than speakers or levels, or an unknown column or one that is not filled.
        """
        check_whole("split.folds", self.folds, 2)
        check_columns(manifest.frame, [self.group], "split.group")
        refuse_missing(manifest.frame, self.group, "split.group")
        levels = manifest.frame[self.group].nunique()
        if self.folds > levels:
            raise InputError(
                f"split.folds={self.folds}: {manifest.name} has {levels} {self.group}{'s' if levels > 1 else ''}",
                expected=f"at most {levels} folds, because a {self.group} is in one fold only",
                remedy=f"split.folds={levels}, or split=logo split.group={self.group}"
                if levels > 1
                else f"a corpus with more {self.group}s",
            )
        rows = np.arange(len(manifest))
        parts = self.dealer(manifest.frame).deal(rows, [1.0] * self.folds, self.seed)
        return Split([make_fold(k, str(k), np.setdiff1d(rows, test), test) for k, test in enumerate(parts)])

    def unit(self) -> str:
        """The group."""
        return self.group

    def separated(self) -> list[str]:
        """The group as well."""
        return list(dict.fromkeys([*super().separated(), self.group]))
