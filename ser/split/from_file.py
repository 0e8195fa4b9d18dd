"""Folds read from a list of clips: a published one, a user's own, or the one that an earlier run wrote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser.dataset.manifest import PARTS, Manifest
from ser.errors import InputError
from ser.split.base import Splitter
from ser.split.fold import Fold, Split, make_fold, shorten, sort_names
from ser.split.fold_table import read_fold_table


@dataclass(kw_only=True)
class FromFile(Splitter):
    """Reads folds from a CSV or jsonl file with the columns ``clip, fold, part``, or ``clip, fold`` alone.

    Without ``part``, the fold is the one in which the clip is tested. If no row is of part train, each fold trains on
    all clips of the file that have no row in it. Further columns are ignored. Clips that the file does not mention are
    left out and noted.

    Args:
        path: the file; its columns are described above.
        unknown_clips: what to do with clips of the file that the manifest does not have: ``fail``, or ``skip`` for a
            partial copy or a subset of the emotions.
    """

    path: str | None = None
    unknown_clips: str = "fail"

    def divide(self, manifest: Manifest) -> Split:
        """Folds in reading order of their names.

        Raises:
            InputError: a file that is missing, empty or malformed, unknown clips; names the file and the line.
        """
        if self.unknown_clips not in ("fail", "skip"):
            raise InputError(f"split.unknown_clips={self.unknown_clips!r}", expected="fail or skip")
        table = read_fold_table(self.path)
        lists_training = bool((table["part"] == "train").any())
        table["row"] = pd.Index(manifest.frame["clip"]).get_indexer(table["clip"])
        table, notes = self._drop_unknown(table, manifest)
        unmentioned = len(manifest) - table["row"].nunique()
        if unmentioned:
            notes.append(f"{unmentioned} of {len(manifest)} clips are not in {self.path} and are left out")
        return Split(_read_folds(table, lists_training), notes)

    def _drop_unknown(self, table: pd.DataFrame, manifest: Manifest) -> tuple[pd.DataFrame, list[str]]:
        unknown = table[table["row"] < 0].drop_duplicates("clip")
        if unknown.empty:
            return table, []
        if self.unknown_clips == "fail" or len(unknown) == table["clip"].nunique():
            first = unknown.iloc[0]
            raise InputError(
                f"{self.path}, line {first['line']}: {manifest.name} has no clip {first['clip']!r} "
                f"({len(unknown)} of {table['clip'].nunique()} clips are unknown: {shorten(list(unknown['clip']))})",
                expected=f"clip ids like {manifest.frame['clip'].iloc[0]!r}",
                remedy="correct the ids; if the corpus copy or dataset.emotions is only a part of what the file lists, "
                "split.unknown_clips=skip",
            )
        note = f"{len(unknown)} clips of {self.path} are not in {manifest.name} and are skipped"
        return table[table["row"] >= 0], [note]


def _read_folds(table: pd.DataFrame, lists_training: bool) -> list[Fold]:
    clips = np.unique(table["row"])
    folds = []
    by_fold = {str(name): rows for name, rows in table.groupby("fold", sort=False)}
    for index, name in enumerate(sort_names(by_fold)):
        rows = by_fold[name]
        parts = {part: rows.loc[rows["part"] == part, "row"].to_numpy() for part in PARTS}
        if not lists_training:
            parts["train"] = np.setdiff1d(clips, rows["row"], assume_unique=True)
        folds.append(make_fold(index, name, **parts))
    return folds
