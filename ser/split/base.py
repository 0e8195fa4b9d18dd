"""What all splits have in common: their keys, the validation part, disjoint sentences, and the checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ser.dataset.manifest import Manifest
from ser.errors import InputError
from ser.split import notes as words
from ser.split.cross import cross_folds
from ser.split.deal import Dealer
from ser.split.fold import Fold, Split, check_leaks, shorten, sort_names
from ser.split.strata import check_columns, name_values


@dataclass(kw_only=True)
class Splitter(ABC):
    """Divides a manifest into folds. A kind of split says only how its test parts come about (``divide``).

    Args:
        seed: of the split alone; the training seed is another.
        fold: make only the fold of this index.
        stratify: manifest columns whose levels whole speakers are balanced by, in all parts.
        validation_share: share of a fold's training speakers (or levels of another unit) that validates, where
            validation is needed and the split does not bring a validation part of its own.
        disjoint: further columns of which no level may be on both sides of a test part; folds are crossed with
            partitions of these levels.
        disjoint_folds: number of such partitions.
        allow_overlap: permit speakers (and levels of ``disjoint``) on both sides; it is then noted, not refused.
    """

    seed: int = 0
    fold: int | None = None
    stratify: Sequence[str] = ("emotion",)
    validation_share: float = 0.2
    disjoint: Sequence[str] = ()
    disjoint_folds: int = 5
    allow_overlap: bool = False

    @abstractmethod
    def divide(self, manifest: Manifest) -> Split:
        """The folds before validation, crossing and checks; a validation part only where the split brings its own."""

    def split(self, manifest: Manifest, validation: bool, emotions: bool = True) -> Split:
        """Divide the clips of a manifest.

        Args:
            manifest: the clips.
            validation: whether something (early stopping, tuning, calibration) needs a validation part. If not, all
                training speakers train; a validation part that the split itself names is left out, as published.
            emotions: whether emotions are to be told apart, so that training needs two of them.

        Raises:
            InputError: keys that do not fit the manifest, or a part that is left empty or without two emotions.
            LeakError: speakers or levels on both sides of a fold that ``allow_overlap`` does not permit.
        """
        self.check(manifest)
        frame = manifest.frame
        drafts = self.divide(manifest)
        folds, notes = drafts.folds, [*words.note_empty_strata(frame, as_names(self.stratify)), *drafts.notes]
        if not validation:
            folds, dropped = _drop_validation(folds)
            notes += dropped
        for column in as_names(self.disjoint):
            crossed = cross_folds(frame, folds, column, self.disjoint_folds, as_names(self.stratify), self.seed)
            folds = crossed.folds
            notes += words.limit_notes(crossed.notes, "such folds")
        folds = self._restrict_folds(folds)
        if validation:
            dealer = self.dealer(frame)
            folds = [fold if len(fold.validation) else self._carve_validation(frame, fold, dealer) for fold in folds]
        if self.allow_overlap:
            notes += words.note_overlap(frame, folds, self.separated())
        else:
            check_leaks(frame, folds, self.separated())
        for fold in folds:
            _check_fold(frame, fold, emotions)
        notes += words.note_repeated_tests(frame, folds)
        return Split(folds, [*notes, *words.note_absent_emotions(frame, folds)] if emotions else notes)

    def check(self, manifest: Manifest) -> None:
        """Refuse keys out of range, unknown columns, and a single speaker.

        Raises:
            InputError: names the key and what it may be.
        """
        check_whole("split.seed", self.seed, 0)
        check_whole("split.disjoint_folds", self.disjoint_folds, 2)
        check_share("split.validation_share", self.validation_share)
        if self.fold is not None:
            check_whole("split.fold", self.fold, 0)
        check_columns(manifest.frame, as_names(self.stratify), "split.stratify")
        check_columns(manifest.frame, as_names(self.disjoint), "split.disjoint")
        if len(manifest.speakers) < 2 and not self.allow_overlap:
            raise InputError(
                f"dataset {manifest.name}: all {len(manifest)} clips are of one speaker ({manifest.speakers[0]})",
                expected="at least two speakers, one to train on and one to test",
                remedy="add speakers; or score within the speaker, e.g. split=logo split.group=sentence "
                "split.allow_overlap=true",
            )

    def separated(self) -> list[str]:
        """The columns that must not be on both sides of a fold."""
        return list(dict.fromkeys(["speaker", *as_names(self.disjoint)]))

    def unit(self) -> str:
        """The column whose levels are dealt whole, to test parts and to validation."""
        return "speaker"

    def dealer(self, frame: pd.DataFrame) -> Dealer:
        """Deals whole speakers (or levels of another unit), balanced by ``stratify``."""
        return Dealer(frame, name_values(frame[self.unit()]), as_names(self.stratify))

    def _restrict_folds(self, folds: list[Fold]) -> list[Fold]:
        if self.fold is None:
            return folds
        if self.fold >= len(folds):
            raise InputError(
                f"split.fold={self.fold}: the split has {len(folds)} fold{'s' if len(folds) > 1 else ''}",
                expected=f"0 to {len(folds) - 1} ({shorten([f'{fold.index}: {fold.name}' for fold in folds])})",
                remedy="choose one of these, or split.fold=null for all",
            )
        return [folds[self.fold]]

    def _carve_validation(self, frame: pd.DataFrame, fold: Fold, dealer: Dealer) -> Fold:
        unit = self.unit()
        units = frame[unit].iloc[fold.train].nunique()
        if units == 1:
            raise InputError(
                f"split: fold {fold.name} trains on one {unit}, so none is left for validation",
                expected=f"at least two training {unit}s where the head needs a validation part",
                remedy=f"a split that trains on more {unit}s, or a head that needs no validation (e.g. head=svm "
                "head.tune=false)",
            )
        share = self.validation_share
        train, validation = dealer.deal(fold.train, [1 - share, share], [self.seed, fold.index])
        return replace(fold, train=train, validation=validation)


def _drop_validation(folds: Iterable[Fold]) -> tuple[list[Fold], list[str]]:
    """Folds without their own validation parts: what the publisher kept from training stays out of it."""
    unused = np.unique(np.concatenate([fold.validation for fold in folds]))
    note = f"{len(unused)} clips of the validation part are not used: nothing here needs them, and they do not train"
    return [replace(fold, validation=np.empty(0, np.int64)) for fold in folds], [note] if len(unused) else []


def _check_fold(frame: pd.DataFrame, fold: Fold, emotions: bool) -> None:
    shown = sorted(frame["emotion"].iloc[fold.train].dropna().unique())
    if not len(fold.train) or (emotions and len(shown) < 2):
        what = f"has one emotion only ({shown[0]})" if shown else "has no emotion" if len(fold.train) else "is empty"
        raise InputError(
            f"split: the training part of fold {fold.name} {what}",
            expected="clips of at least two emotions" if emotions else "at least one clip",
            remedy="fewer or larger folds, another split, or more of dataset.emotions",
        )
    if not len(fold.test):
        raise InputError(
            f"split: the test part of fold {fold.name} is empty",
            expected="at least one clip",
            remedy="name test clips for it, or another split",
        )


def as_names(value: str | Iterable[object] | None) -> list[str]:
    """A key's value as a list of names: one name, a list of names, or nothing."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in value]


def check_share(key: str, value: float) -> None:
    """Refuse what is not a share between 0 and 1, ends excluded.

    Raises:
        InputError: names the key.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise InputError(f"{key}={value!r} is not a share", expected="a number between 0 and 1", remedy=f"{key}=0.2")


def check_whole(key: str, value: int, least: int) -> None:
    """Refuse what is not a whole number of at least ``least``.

    Raises:
        InputError: names the key.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(
            f"{key}={value!r} is not a whole number of at least {least}",
            expected=f"{least} or more",
            remedy=f"{key}={least}",
        )


def split_by(labels: np.ndarray, names: Iterable[str]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """For each name in reading order: the name, the rows of it, all other rows."""
    return [(name, np.flatnonzero(labels == name), np.flatnonzero(labels != name)) for name in sort_names(names)]
