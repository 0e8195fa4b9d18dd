"""Folds as row positions of a manifest, the check that they do not leak, and the tables written beside a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from ser.dataset.manifest import PARTS
from ser.errors import LeakError
from ser.split.strata import label_levels, name_values

SHOWN = 8
#: Rows of ``split.csv`` from which on it does without those that follow from the others.
MOST_ROWS = 100_000
PART_NAMES = {"train": "training", "validation": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of the clips; the arrays ``[n]`` hold sorted row positions of ``manifest.frame``.

    Args:
        index: place in the split; ``split.fold`` and ``checkpoints/fold-<index>`` count like this, from 0.
        name: what notes and tables call the fold (the speaker left out, the number of the fold, …).
        train: rows that train.
        validation: rows that choose the model; empty where nothing uses them.
        test: rows that are scored once.
    """

    index: int
    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def parts(self) -> dict[str, np.ndarray]:
        """The three arrays by the names of the parts."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class Split:
    """The folds of a run and what a reader of its results must know about them."""

    folds: list[Fold]
    notes: list[str] = field(default_factory=list)

    @property
    def train(self) -> np.ndarray:
        """Rows that train in any of the folds."""
        return np.unique(np.concatenate([fold.train for fold in self.folds]))


@dataclass(frozen=True)
class Leak:
    """Levels of a column (speakers, sentences, …) that two parts of one fold share."""

    fold: str
    column: str
    parts: tuple[str, str]
    levels: list[str]


def make_fold(
    index: int, name: str, train: np.ndarray, test: np.ndarray, validation: np.ndarray | Sequence[int] = ()
) -> Fold:
    """A fold from row positions in any order."""
    train, validation, test = (np.sort(np.asarray(rows, dtype=np.int64)) for rows in (train, validation, test))
    return Fold(index, name, train, validation, test)


def sort_names(names: Iterable[str]) -> list[str]:
    """Names in the order a person expects: 2 before 10."""

    def key(name: str) -> tuple[list[tuple[int, int, str]], str]:
        pieces = re.split(r"([0-9]+)", name)
        return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces], name

    return sorted(names, key=key)


def shorten(names: Sequence[str], shown: int = SHOWN) -> str:
    """The first names and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def find_leaks(frame: pd.DataFrame, folds: Sequence[Fold], column: str) -> list[Leak]:
    """What two parts of a fold share in a column, fold by fold; missing values are not shared.

    Speakers are compared between all three parts. Other columns are compared between the test part and the other two:
    validation speakers who share a session or sentences with the training speakers do no harm to the test.
    """
    codes, levels = pd.factorize(name_values(frame[column]), sort=True)
    pairs = [*combinations(PARTS, 2)] if column == "speaker" else [("train", "test"), ("validation", "test")]
    leaks = []
    for fold in folds:
        present = {part: mark_levels(codes, rows, len(levels)) for part, rows in fold.parts().items()}
        for first, second in pairs:
            shared = np.flatnonzero(present[first] & present[second])
            if len(shared):
                names = sort_names(map(str, levels[shared]))
                leaks.append(Leak(fold.name, column, (first, second), names))
    return leaks


def mark_levels(codes: np.ndarray, rows: np.ndarray, levels: int) -> np.ndarray:
    """Which levels ``[L]`` occur in some rows; code -1 is a missing value."""
    found = codes[rows]
    return np.bincount(found[found >= 0], minlength=levels) > 0


def check_leaks(frame: pd.DataFrame, folds: Sequence[Fold], columns: Sequence[str]) -> None:
    """Refuse folds whose parts share speakers, or whose test part shares levels of other columns.

    Raises:
        LeakError: names the first fold that leaks, what it shares, and the key that permits it.
    """
    for column in columns:
        leaks = find_leaks(frame, folds, column)
        if not leaks:
            continue
        leak = leaks[0]
        first, second = (PART_NAMES[part] for part in leak.parts)
        others = len({other.fold for other in leaks}) - 1
        count = f"{len(leak.levels)} {column}{'s' if len(leak.levels) > 1 else ''}"
        raise LeakError(
            f"split: fold {leak.fold} has {count} in both {first} and {second}: {shorten(leak.levels)}"
            + (f" ({others} more fold{'s' if others > 1 else ''} leak{'' if others > 1 else 's'})" if others else ""),
            expected=f"no {column} on two sides of a fold",
            remedy="choose a split that keeps them apart, e.g. split=kfold (sentences too: split.disjoint=[sentence]); "
            "if the overlap is meant, say split.allow_overlap=true",
        )


def tabulate_split(frame: pd.DataFrame, split: Split) -> pd.DataFrame:
    """One row a clip, fold and part: columns ``clip, fold, part, speaker, emotion``.

    This is ``split.csv`` of a run, and what ``split=file`` reads. A clip that a fold leaves out has no row there. Of a
    split of more than ``MOST_ROWS`` rows (leave-one-speaker-out on hundreds of speakers), training rows are left out
    if they are all clips of the table that the fold does not test or validate on.
    """
    pieces = [(fold.name, part, rows) for fold in split.folds for part, rows in fold.parts().items()]
    if sum(len(rows) for _, _, rows in pieces) > MOST_ROWS and _implies_training(split, len(frame)):
        pieces = [piece for piece in pieces if piece[1] != "train"]
    sizes = [len(rows) for _, _, rows in pieces]
    table = frame[["clip", "speaker", "emotion"]].iloc[np.concatenate([rows for _, _, rows in pieces])]
    table = table.reset_index(drop=True)
    table.insert(1, "fold", np.repeat([name for name, _, _ in pieces], sizes))
    table.insert(2, "part", np.repeat([part for _, part, _ in pieces], sizes))
    return table


def _implies_training(split: Split, clips: int) -> bool:
    """Whether every fold trains on all clips that are tested or validate anywhere, but for its own."""
    listed = np.zeros(clips, bool)
    for fold in split.folds:
        listed[fold.test] = listed[fold.validation] = True
    number = listed.sum()
    return all(
        len(fold.train) + len(fold.validation) + len(fold.test) == number and listed[fold.train].all()
        for fold in split.folds
    )


def describe_balance(frame: pd.DataFrame, split: Split, columns: Sequence[str]) -> pd.DataFrame:
    """The achieved distribution: ``fold, part, column, level, clips, share, speakers``, empty levels included.

    ``share`` is the level's share of the clips of its part, ``speakers`` how many speakers have such clips. Ages are
    grouped as they are for stratification. Empty parts have no rows.
    """
    speakers, heads = pd.factorize(frame["speaker"], sort=True)
    pieces = [(fold.name, part, rows) for fold in split.folds for part, rows in fold.parts().items() if len(rows)]
    table: list[tuple[object, ...]] = []
    for column in columns:
        labels = label_levels(frame, column)
        names = sort_names(labels.unique())
        codes = pd.Index(names).get_indexer(pd.Index(labels))
        for fold, part, rows in pieces:
            cells = np.bincount(speakers[rows] * len(names) + codes[rows], minlength=len(heads) * len(names))
            cells = cells.reshape(len(heads), len(names))
            for level, clips, present in zip(names, cells.sum(axis=0), (cells > 0).sum(axis=0), strict=True):
                table.append((fold, part, column, level, int(clips), clips / len(rows), int(present)))
    return pd.DataFrame(table, columns=["fold", "part", "column", "level", "clips", "share", "speakers"])
