"""What must hold for every split of every table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from split_tables import EMOTIONS, build_manifest, list_folds, manifests, name_speakers, quick

from ser.dataset.manifest import Manifest
from ser.split import Fixed, FromFile, Holdout, KFold, LeaveOneGroupOut, Official, tabulate_split

SPLITTERS = {
    "holdout": lambda **keys: Holdout(**keys),
    "kfold": lambda **keys: KFold(folds=3, **keys),
    "loso": lambda **keys: LeaveOneGroupOut(**keys),
    "sessions": lambda **keys: LeaveOneGroupOut(group="session", **keys),
    "fixed": lambda **keys: Fixed(test_speakers=["00", "01"], **keys),
}
COVERING = ["kfold", "loso", "sessions"]


def assert_speakers_apart(manifest, split):
    speakers = manifest.frame["speaker"].factorize()[0]
    for fold in split.folds:
        parts = [np.unique(speakers[rows]) for rows in (fold.train, fold.validation, fold.test)]
        assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))


@pytest.mark.parametrize("kind", SPLITTERS)
@quick
@given(manifest=manifests(), seed=st.integers(0, 99), validation=st.booleans())
def test_no_speaker_is_in_two_parts(kind, manifest, seed, validation):
    split = SPLITTERS[kind](seed=seed).split(manifest, validation)
    assert_speakers_apart(manifest, split)
    for index, fold in enumerate(split.folds):
        rows = np.concatenate([fold.train, fold.validation, fold.test])
        assert fold.index == index
        assert sorted(rows) == list(range(len(manifest)))
        assert bool(len(fold.validation)) == validation
        assert all((np.diff(part) > 0).all() for part in (fold.train, fold.validation, fold.test))


@pytest.mark.parametrize("kind", COVERING)
@quick
@given(manifest=manifests(), validation=st.booleans())
def test_each_clip_is_tested_once(kind, manifest, validation):
    split = SPLITTERS[kind]().split(manifest, validation)
    assert sorted(np.concatenate([fold.test for fold in split.folds])) == list(range(len(manifest)))


@pytest.mark.parametrize("kind", SPLITTERS)
@quick
@given(manifest=manifests(least=8), validation=st.booleans(), seed=st.integers(0, 99))
def test_disjoint_sentences(kind, manifest, validation, seed):
    splitter = SPLITTERS[kind](disjoint=["sentence"], disjoint_folds=3, seed=seed)
    plain = SPLITTERS[kind](seed=seed).split(manifest, validation)
    split = splitter.split(manifest, validation)
    assert_speakers_apart(manifest, split)
    sentences = manifest.frame["sentence"]
    for fold in split.folds:
        rest = np.concatenate([fold.train, fold.validation])
        assert not set(sentences.iloc[fold.test]) & set(sentences.iloc[rest])
        assert bool(len(fold.validation)) == validation
    tested = np.concatenate([fold.test for fold in split.folds])
    assert sorted(tested) == sorted(np.concatenate([fold.test for fold in plain.folds]))


@pytest.mark.parametrize("kind", SPLITTERS)
@quick
@given(manifest=manifests(), seed=st.integers(0, 99), random=st.randoms(use_true_random=False))
def test_same_seed_same_split_whatever_the_order_of_rows(kind, manifest, seed, random):
    order = list(range(len(manifest)))
    random.shuffle(order)
    shuffled = Manifest(manifest.name, manifest.frame.iloc[order])
    keys = {"seed": seed, "stratify": ["emotion", "session"]}
    expected = list_folds(SPLITTERS[kind](**keys).split(manifest, True))
    assert list_folds(SPLITTERS[kind](**keys).split(shuffled, True)) == expected


@pytest.mark.parametrize("kind", ["holdout", "kfold", "loso"])
def test_other_seeds_give_other_splits(kind, emodb):
    found = {str(list_folds(SPLITTERS[kind](seed=seed).split(emodb, True))) for seed in range(10)}
    assert len(found) >= 8


def test_seeds_change_the_test_speakers_of_a_small_corpus(emodb):
    tested = [frozenset(name_speakers(emodb, Holdout(seed=s).split(emodb, False).folds[0].test)) for s in range(60)]
    assert len(set(tested)) >= 8
    assert set().union(*tested) == set(emodb.speakers)


@pytest.mark.parametrize("kind", SPLITTERS)
@pytest.mark.parametrize("disjoint", [[], ["sentence"]])
def test_one_fold_is_that_fold_of_all(kind, disjoint):
    counts = {f"{speaker:02d}": dict.fromkeys(EMOTIONS, 3) for speaker in range(8)}
    manifest = build_manifest(counts, session={speaker: f"Ses{int(speaker) // 2}" for speaker in counts})
    keys = {"disjoint": disjoint, "seed": 3}
    whole = list_folds(SPLITTERS[kind](**keys).split(manifest, True))
    for index, fold in enumerate(whole):
        assert list_folds(SPLITTERS[kind](fold=index, **keys).split(manifest, True)) == [fold]


@pytest.mark.parametrize("kind", SPLITTERS)
@quick
@given(manifest=manifests(least=8), validation=st.booleans(), disjoint=st.sampled_from([[], ["sentence"]]))
def test_a_written_split_reads_back_the_same(kind, manifest, validation, disjoint, tmp_path_factory):
    split = SPLITTERS[kind](disjoint=disjoint, disjoint_folds=3).split(manifest, validation)
    path = tmp_path_factory.mktemp("split") / "split.csv"
    tabulate_split(manifest.frame, split).to_csv(path, index=False)
    back = FromFile(path=str(path), disjoint=disjoint, disjoint_folds=3).split(manifest, validation)
    assert list_folds(back) == list_folds(split)


@quick
@given(manifest=manifests(), validation=st.booleans())
def test_official_follows_the_publisher(manifest, validation):
    parts = {"00": "test", "01": "validation", "02": None}
    frame = manifest.frame.assign(split=manifest.frame["speaker"].map(lambda speaker: parts.get(speaker, "train")))
    published = Manifest("published", frame)
    split = Official().split(published, validation)
    fold = split.folds[0]
    assert fold.name == "official"
    assert name_speakers(published, fold.test) == {"00"}
    assert name_speakers(published, fold.validation) == ({"01"} if validation else set())
    assert not name_speakers(published, fold.train) & {"00", "01", "02"}
    assert any("left out" in note for note in split.notes)


@pytest.mark.parametrize("kind", ["holdout", "kfold", "loso", "official", "fixed", "file"])
def test_actors_who_miss_emotions_never_leak(kind, crowd, tmp_path):
    """R1: dividing by emotion first put 81-96 % of such a corpus's test clips beside their own speaker in training."""
    balance = {"stratify": ["emotion", "gender", "age"]}
    holdout = Holdout(**balance).split(crowd, True)
    fold = holdout.folds[0]
    if kind == "official":
        labels = np.full(len(crowd), "train", dtype=object)
        labels[fold.validation], labels[fold.test] = "validation", "test"
        crowd = Manifest("crowd", crowd.frame.assign(split=labels))
    path = tmp_path / "split.csv"
    tabulate_split(crowd.frame, holdout).to_csv(path, index=False)
    splitter = {
        "holdout": Holdout(**balance),
        "kfold": KFold(**balance),
        "loso": LeaveOneGroupOut(),
        "official": Official(),
        "fixed": Fixed(test_speakers=crowd.speakers[::5]),
        "file": FromFile(path=str(path)),
    }[kind]
    split = splitter.split(crowd, kind != "loso")
    assert_speakers_apart(crowd, split)
    assert len(split.folds) == {"kfold": 5, "loso": 431}.get(kind, 1)


def test_a_split_by_emotion_is_what_the_check_refuses(crowd):
    """The published recipe itself, as a control that the check sees it."""
    from ser.errors import LeakError
    from ser.split.fold import check_leaks, make_fold

    rng, test = np.random.default_rng(0), []
    for _, clips in crowd.frame.groupby("emotion"):
        speakers = rng.permutation(clips["speaker"].unique())
        test.append(clips.index[clips["speaker"].isin(speakers[: len(speakers) // 5])])
    rows = np.concatenate(test)
    fold = make_fold(0, "recipe", np.setdiff1d(np.arange(len(crowd)), rows), rows)
    shared = name_speakers(crowd, fold.train) & name_speakers(crowd, fold.test)
    assert pd.Series(crowd.frame["speaker"].iloc[rows]).isin(shared).mean() > 0.8
    with pytest.raises(LeakError, match=f"recipe has {len(shared)} speakers .* and {len(shared) - 8} more"):
        check_leaks(crowd.frame, [fold], ["speaker"])
