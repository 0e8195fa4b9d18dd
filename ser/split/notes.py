"""What a reader of the results must know about the folds, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser.dataset.manifest import PARTS
from ser.split.fold import PART_NAMES, Fold, find_leaks, mark_levels, shorten
from ser.split.strata import MISSING, label_levels

#: Notes of one kind before the rest is only counted: leave-one-speaker-out on hundreds of speakers has hundreds.
MOST_NOTES = 10


def note_absent_emotions(frame: pd.DataFrame, folds: Sequence[Fold]) -> list[str]:
    """Emotions of the manifest that a part of a fold lacks: ``fold 08: no disgust in the test part``."""
    codes, emotions = pd.factorize(frame["emotion"], sort=True)
    notes = []
    for part in PARTS:
        found = []
        for fold in folds:
            rows = fold.parts()[part]
            absent = emotions[~mark_levels(codes, rows, len(emotions))]
            if len(rows) and len(absent):
                found.append(f"fold {fold.name}: no {shorten(list(absent))} in the {PART_NAMES[part]} part")
        notes += limit_notes(found, f"folds lack an emotion in the {PART_NAMES[part]} part")
    return notes


def note_overlap(frame: pd.DataFrame, folds: Sequence[Fold], columns: Sequence[str]) -> list[str]:
    """How many speakers (sentences, …) are on two sides of a fold where that is permitted."""
    notes = []
    for column in columns:
        leaks = find_leaks(frame, folds, column)
        for pair in dict.fromkeys(leak.parts for leak in leaks):
            shared = {level for leak in leaks if leak.parts == pair for level in leak.levels}
            count = sum(leak.parts == pair for leak in leaks)
            notes.append(
                f"split.allow_overlap=true: {len(shared)} of {frame[column].nunique()} {column}s are in both "
                f"{PART_NAMES[pair[0]]} and {PART_NAMES[pair[1]]} ({count} of {len(folds)} folds)"
            )
    return notes


def note_empty_strata(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Columns that cannot balance anything because no clip has a value."""
    return [
        f"split.stratify: {column} is missing for every clip, so nothing is balanced by it"
        for column in columns
        if (label_levels(frame, column) == MISSING).all()
    ]


def note_repeated_tests(frame: pd.DataFrame, folds: Sequence[Fold]) -> list[str]:
    """Clips tested in more than one fold, which pooled scores count more than once."""
    times = np.bincount(np.concatenate([fold.test for fold in folds]), minlength=len(frame))
    repeated = int((times > 1).sum())
    note = f"{repeated} clips are tested in more than one fold; pooled scores count them each time"
    return [note] if repeated else []


def limit_notes(notes: list[str], rest: str) -> list[str]:
    """The first notes, and how many more there are."""
    more = len(notes) - MOST_NOTES
    return [*notes[:MOST_NOTES], f"{more} more {rest}"] if more > 0 else notes
