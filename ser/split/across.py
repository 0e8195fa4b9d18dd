"""Splits over several corpora: one on both sides is divided, one that only trains always trains, one that is only
tested is tested whole by every fold's model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

import numpy as np

from ser.dataset.manifest import Manifest
from ser.split.base import Splitter
from ser.split.fixed import Fixed
from ser.split.fold import Fold, Split, make_fold


def split_across(
    splitter: Splitter,
    manifest: Manifest,
    train: Collection[str],
    test: Collection[str],
    validation: bool,
    emotions: bool = True,
) -> Split:
    """Folds over a manifest whose column ``dataset`` names the corpus of each clip.

    Args:
        splitter: divides the corpora on both sides.
        manifest: all corpora; speakers carry the corpus's name, so none is in two.
        train: names of corpora that train.
        test: names of corpora that are tested.
        validation: whether a validation part is needed.
        emotions: whether emotions are to be told apart.
    """
    names = manifest.frame["dataset"].to_numpy(dtype=str)
    both, only_train, only_test = (
        np.flatnonzero(np.isin(names, sorted(chosen)))
        for chosen in (set(train) & set(test), set(train) - set(test), set(test) - set(train))
    )
    if not len(both):
        return divide_by_corpus(splitter, manifest, only_train, only_test, validation, emotions)
    shared = Manifest(manifest.name, manifest.frame.iloc[both], manifest.notes)
    divided = splitter.split(shared, validation, emotions)
    folds = [extend_fold(fold, both, only_train, only_test) for fold in divided.folds]
    notes = list(divided.notes)
    if len(only_test) and len(folds) > 1:
        notes.append(f"corpora that are only tested are scored whole by the models of all {len(folds)} folds")
    return Split(folds, notes)


def divide_by_corpus(
    splitter: Splitter, manifest: Manifest, train: np.ndarray, test: np.ndarray, validation: bool, emotions: bool
) -> Split:
    """One fold: some corpora train, others are tested; validation is carved out of the training speakers."""
    speakers = manifest.frame["speaker"].to_numpy(dtype=str)
    common = {item.name: getattr(splitter, item.name) for item in fields(Splitter)}
    fixed = Fixed(
        **{**common, "fold": None},
        train_speakers=sorted(set(speakers[train])),
        test_speakers=sorted(set(speakers[test])),
    )
    return fixed.split(manifest, validation, emotions)


def extend_fold(fold: Fold, rows: np.ndarray, train: np.ndarray, test: np.ndarray) -> Fold:
    """A fold of some rows as one of the whole manifest, with further training and test rows."""
    return make_fold(
        fold.index,
        fold.name,
        np.concatenate([rows[fold.train], train]),
        np.concatenate([rows[fold.test], test]),
        rows[fold.validation],
    )
