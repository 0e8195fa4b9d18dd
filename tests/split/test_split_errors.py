"""What a user gets wrong, said so that it can be mended; and what is noted."""

import subprocess
import sys

import numpy as np
import pytest
from split_tables import build_manifest

from ser.dataset.manifest import Manifest
from ser.errors import InputError, LeakError
from ser.split import Fixed, FromFile, Holdout, KFold, LeaveOneGroupOut, Official
from ser.split.fixed import match_speakers
from ser.split.fold import sort_names, tabulate_split
from ser.split.training import take_fraction


def refuse(splitter, manifest, *words, validation=False, error=InputError):
    with pytest.raises(error) as caught:
        splitter.split(manifest, validation)
    for word in words:
        assert word in str(caught.value)


@pytest.fixture(scope="module")
def solo():
    return build_manifest({"A": {"anger": 10, "fear": 10}}, sentences=4, name="solo")


@pytest.fixture(scope="module")
def pair():
    return build_manifest({"OAF": {"anger": 10, "fear": 10}, "YAF": {"anger": 10, "fear": 10}}, sentences=4)


@pytest.mark.parametrize("splitter", [Holdout(), KFold(), LeaveOneGroupOut(), Official(), Fixed(test_speakers=["A"])])
def test_one_speaker(splitter, solo):
    refuse(splitter, solo, "one speaker (A)", "split.group=sentence")


def test_one_speaker_is_enough_where_overlap_is_meant(solo):
    split = LeaveOneGroupOut(group="sentence", allow_overlap=True).split(solo, False)
    assert len(split.folds) == 4
    assert any("1 of 1 speakers are in both training and test (4 of 4 folds)" in note for note in split.notes)
    refuse(Holdout(allow_overlap=True), solo, "one speaker only")
    refuse(KFold(allow_overlap=True), solo, "1 speaker")
    refuse(LeaveOneGroupOut(allow_overlap=True), solo, "same speaker")


def test_two_speakers_leave_none_for_validation(pair):
    assert len(LeaveOneGroupOut().split(pair, False).folds) == 2
    refuse(LeaveOneGroupOut(), pair, "none is left for validation", "head=svm", validation=True)


def test_more_folds_than_speakers(emodb):
    refuse(KFold(folds=11), emodb, "split.folds=11", "10 speakers", "split.folds=10")
    words = ("split.folds=11", "10 sentences", "split.group=sentence")
    refuse(KFold(folds=11, group="sentence", allow_overlap=True), emodb, *words)


@pytest.mark.parametrize(
    ("splitter", "word"),
    [
        (KFold(folds=1), "split.folds=1"),
        (KFold(seed=-1), "split.seed=-1"),
        (KFold(fold=-1), "split.fold=-1"),
        (KFold(fold=5), "0 to 4"),
        (KFold(validation_share=1), "split.validation_share=1"),
        (KFold(disjoint=["sentence"], disjoint_folds=1), "split.disjoint_folds=1"),
        (Holdout(test_share=0), "split.test_share=0"),
        (Holdout(test_share="half"), "split.test_share='half'"),
        (KFold(stratify=["sex"]), "no column 'sex'"),
        (KFold(disjoint="phrase"), "no column 'phrase'"),
        (LeaveOneGroupOut(group="room"), "split.group"),
        (KFold(group="room"), "split.group"),
        (KFold(group="session"), "column 'session' is missing for 534 of 534 clips"),
        (LeaveOneGroupOut(group="session"), "column 'session' is missing for 534 of 534 clips"),
        (LeaveOneGroupOut(group="gender", disjoint=["session"]), "column 'session' is missing"),
        (KFold(disjoint=["sentence"], disjoint_folds=11), "split.disjoint_folds=10"),
        (Official(), "no official split"),
        (Fixed(), "no speakers are named"),
        (Fixed(test_speakers=["17"]), "'17'"),
        (FromFile(), "no file is named"),
        (FromFile(path="x.csv", unknown_clips="ignore"), "fail or skip"),
        (FromFile(path="/nowhere/folds.csv"), "/nowhere/folds.csv: no such file"),
    ],
)
def test_keys_that_do_not_fit(splitter, word, emodb):
    refuse(splitter, Manifest("emodb", emodb.frame.head(534)), word)


def test_unknown_columns_list_those_there_are(emodb):
    refuse(KFold(stratify=["sex"]), emodb, "split.stratify", "gender")
    refuse(LeaveOneGroupOut(group="room"), emodb, "split.group", "session")


def test_training_parts_need_two_emotions():
    table = build_manifest({"a": {"anger": 3}, "b": {"anger": 3, "fear": 3}, "c": {"anger": 3}})
    refuse(LeaveOneGroupOut(), table, "fold b has one emotion only (anger)")
    frame = table.frame.assign(split="test")
    refuse(Official(), Manifest("t", frame), "no official train part (only test)")
    refuse(Fixed(train_speakers=["a", "b", "c"]), table, "test part", "empty")
    refuse(Fixed(test_speakers=["a", "b", "c"]), table, "training part", "empty")


def test_numbers_need_no_emotions():
    table = build_manifest({"a": {"anger": 3}, "b": {"anger": 3, "fear": 3}, "c": {"anger": 3}})
    assert LeaveOneGroupOut().split(table, True, emotions=False).notes == []
    refuse(LeaveOneGroupOut(), Manifest("t", table.frame.drop(columns=["emotion", "label"])), "has no emotion")
    bare = Manifest("t", table.frame.drop(columns=["emotion", "label"]))
    split = LeaveOneGroupOut().split(bare, True, emotions=False)
    assert [note for note in split.notes if "emotion is missing for every clip" not in note] == []
    assert len(tabulate_split(bare.frame, split)) == 3 * len(bare)
    assert len(take_fraction(bare.frame, split, 0.5, 0).train) < len(bare)
    with pytest.raises(InputError, match="training part of fold fixed is empty"):
        Fixed(test_speakers=["a", "b", "c"]).split(bare, False, emotions=False)


def test_groups_that_share_speakers_are_refused(emodb):
    refuse(LeaveOneGroupOut(group="sentence"), emodb, "fold s0 has 10 speakers", "and 2 more", error=LeakError)
    refuse(LeaveOneGroupOut(group="sentence"), emodb, "9 more folds leak", "split.allow_overlap=true", error=LeakError)
    split = LeaveOneGroupOut(group="sentence", allow_overlap=True).split(emodb, True)
    assert len(split.folds) == 10
    assert "split.allow_overlap=true: 10 of 10 speakers are in both train" in "\n".join(split.notes)


def test_folds_of_new_sentences_of_known_speakers(pair, emodb):
    """TESS has two speakers: word-disjoint folds share them, which must be asked for in words."""
    refuse(KFold(folds=2, group="sentence"), pair, "fold 0 has 2 speakers", "split.allow_overlap=true", error=LeakError)
    for manifest, validation in ((pair, False), (emodb, True)):
        split = KFold(folds=4, group="sentence", allow_overlap=True).split(manifest, validation)
        sentences = manifest.frame["sentence"].to_numpy()
        for fold in split.folds:
            parts = [set(sentences[rows]) for rows in fold.parts().values()]
            assert sum(map(len, parts)) == len(set().union(*parts)) == manifest.frame["sentence"].nunique()
            assert bool(parts[1]) == validation and set(manifest.frame["speaker"].iloc[fold.train]) == set(
                manifest.speakers
            )
        tested = np.concatenate([fold.test for fold in split.folds])
        assert sorted(tested) == list(range(len(manifest)))
        number = len(manifest.speakers)
        note = f"split.allow_overlap=true: {number} of {number} speakers are in both training and test (4 of 4 folds)"
        assert note in split.notes and not any("sentences are in both" in note for note in split.notes)


def test_one_speaker_s_sentences_validate_too(solo):
    (fold, *_) = KFold(folds=2, group="sentence", allow_overlap=True).split(solo, True).folds
    assert len(fold.validation) and not set(fold.validation) & set(fold.train)
    only = LeaveOneGroupOut(group="sentence", allow_overlap=True)
    refuse(only, solo, "trains on one speaker, so none is left for validation", validation=True)


def test_folds_of_sessions_keep_their_speakers_apart():
    session = {f"{s:02d}": f"Ses{s // 2}" for s in range(8)}
    manifest = build_manifest({speaker: {"anger": 3, "fear": 3} for speaker in session}, session=session)
    for fold in KFold(folds=4, group="session").split(manifest, True).folds:
        parts = [set(manifest.frame["session"].iloc[rows]) for rows in fold.parts().values()]
        assert [len(part) for part in parts] == [2, 1, 1]


def test_leaky_official_split_is_refused(emodb):
    parts = ["train", "test"] * len(emodb)
    refuse(Official(), Manifest("e", emodb.frame.assign(split=parts[: len(emodb)])), "fold official", error=LeakError)


def test_absent_emotions_are_noted(emodb):
    notes = LeaveOneGroupOut().split(emodb, False).notes
    assert notes == ["fold 08: no disgust in the test part"]
    rare = build_manifest(
        {"a": {"anger": 3, "fear": 3, "joy": 1}, "b": {"anger": 3, "fear": 3}, "c": {"anger": 3, "fear": 3}}
    )
    notes = LeaveOneGroupOut(fold=1).split(rare, True).notes
    assert len(notes) == 2
    assert "fold b: no joy in the test part" in notes
    assert any("validation part" in note or "training part" in note for note in notes)
    refuse(LeaveOneGroupOut(stratify=[], fold=3), rare, "0: a, 1: b, 2: c")


def test_hundreds_of_notes_are_counted(crowd):
    notes = LeaveOneGroupOut().split(crowd, False).notes
    assert len(notes) == 11
    assert notes[-1] == f"{431 - 123 - 10} more folds lack an emotion in the test part"


def test_a_column_without_values_balances_nothing_and_says_so(pair):
    notes = LeaveOneGroupOut(stratify=["emotion", "gender", "age"]).split(pair, False).notes
    assert [note.split()[1] for note in notes] == ["gender", "age"]


def test_fixed_parts(emodb):
    split = Fixed(train_speakers=["03", 8, 9], test_speakers=[13, "14"]).split(emodb, False)
    fold = split.folds[0]
    assert set(emodb.frame["speaker"].iloc[fold.train]) == {"03", "08", "09"}
    assert set(emodb.frame["speaker"].iloc[fold.test]) == {"13", "14"}
    assert any("5 speakers are in no part" in note for note in split.notes)
    fold = Fixed(train_speakers=[3], validation_speakers="08").split(emodb, True).folds[0]
    assert set(emodb.frame["speaker"].iloc[fold.validation]) == {"08"}
    assert set(emodb.frame["speaker"].iloc[fold.test]) == set(emodb.speakers) - {"03", "08"}
    refuse(Fixed(train_speakers=[3, 8], test_speakers=["03"]), emodb, "training and test: 03", error=LeakError)


def test_speaker_ids_as_yaml_spells_them():
    assert match_speakers([3, "8", 10], ["03", "08", "10"], "key") == ["03", "08", "10"]
    assert match_speakers([1, 1], ["0001", "0002"], "key") == ["0001"]
    assert match_speakers("f1", ["f1", "f2"], "key") == ["f1"]
    assert match_speakers(["010"], ["008", "010"], "key") == ["010"]
    with pytest.raises(InputError, match="could mean speaker 008 or 010"):
        match_speakers([8], ["008", "010"], "key")
    with pytest.raises(InputError, match="could mean speaker 3 or 003"):
        match_speakers(["03"], ["3", "003"], "key")
    with pytest.raises(InputError, match="some of a, b2, b10"):
        match_speakers([7], ["a", "b10", "b2"], "key")


def test_natural_order():
    assert sort_names(["10", "2", "03/sentences-1", "a", "03"]) == ["2", "03", "03/sentences-1", "10", "a"]


def test_empty_crossings_are_left_out_and_noted():
    table = build_manifest(
        {"a": {"anger": 1, "fear": 1}, "b": {"anger": 4, "fear": 4}, "c": {"anger": 4, "fear": 4}}, 4
    )
    split = LeaveOneGroupOut(disjoint=["sentence"], disjoint_folds=4).split(table, False)
    assert [fold.index for fold in split.folds] == list(range(10))
    assert [fold.name for fold in split.folds][-1] == "c/sentences-3"
    assert sum("no clip to test" in note for note in split.notes) == 2


def test_importing_is_cheap():
    heavy = ("sklearn", "torch", "hydra", "scipy", "mlflow")
    code = f"import sys, ser.split; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
