import numpy as np
import pytest

from ser.dataset.manifest import Manifest
from ser.errors import InputError
from ser.split import Holdout, LeaveOneGroupOut
from ser.split.across import split_across


@pytest.fixture
def manifest(build_frame):
    import pandas as pd

    frames = []
    for name in ("one", "two", "three"):
        frame = build_frame(4, ("anger", "fear"), 2).assign(dataset=name)
        for column in ("clip", "speaker"):
            frame[column] = f"{name}/" + frame[column]
        frames.append(frame)
    return Manifest("one+two+three", pd.concat(frames))


def find_corpora(manifest, rows):
    return set(manifest.frame["dataset"].iloc[rows])


def test_a_corpus_on_both_sides_is_divided_and_one_only_tested_is_scored_whole(manifest):
    split = split_across(LeaveOneGroupOut(), manifest, ["one", "two"], ["one", "three"], validation=False)
    assert [fold.name for fold in split.folds] == [f"one/0{speaker}" for speaker in range(4)]
    for fold in split.folds:
        frame = manifest.frame
        assert find_corpora(manifest, fold.train) == {"one", "two"}
        assert find_corpora(manifest, fold.test) == {"one", "three"}
        assert set(frame["speaker"].iloc[fold.test]) & set(frame["speaker"].iloc[fold.train]) == set()
        assert (frame["dataset"].iloc[fold.test] == "three").sum() == 16
        assert (frame["dataset"].iloc[fold.train] == "two").sum() == 16
        assert set(frame["speaker"].iloc[fold.test][frame["dataset"].iloc[fold.test] == "one"]) == {fold.name}
    assert any("scored whole by the models of all 4 folds" in note for note in split.notes)


def test_corpora_without_emotions_are_divided_for_numbers(manifest):
    bare = Manifest(manifest.name, manifest.frame.drop(columns=["emotion", "label"]))
    for train, folds in ((["one", "two"], 4), (["two"], 1)):
        split = split_across(LeaveOneGroupOut(), bare, train, ["one", "three"], validation=False, emotions=False)
        assert len(split.folds) == folds
    with pytest.raises(InputError, match="has no emotion"):
        split_across(Holdout(), bare, ["one"], ["two"], validation=False)


def test_without_a_common_corpus_there_is_one_fold(manifest):
    split = split_across(Holdout(), manifest, ["one", "two"], ["three"], validation=True)
    (fold,) = split.folds
    assert find_corpora(manifest, fold.test) == {"three"} and len(fold.test) == 16
    assert find_corpora(manifest, np.concatenate([fold.train, fold.validation])) == {"one", "two"}
    assert len(fold.validation) and len(fold.train) + len(fold.validation) == 32
    speakers = manifest.frame["speaker"]
    assert not set(speakers.iloc[fold.train]) & set(speakers.iloc[fold.validation])


def test_seed_and_stratification_of_the_split_hold_for_validation_too(manifest):
    def carve(**keys):
        return split_across(Holdout(**keys), manifest, ["one", "two"], ["three"], True).folds[0].validation.tolist()

    assert carve(seed=1) == carve(seed=1)
    assert len({tuple(carve(seed=seed)) for seed in range(8)}) > 1
