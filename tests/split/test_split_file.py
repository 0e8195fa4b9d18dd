"""Folds from files: published lists, a user's own, jsonl and CSV, and what can be wrong with them."""

import json

import numpy as np
import pandas as pd
import pytest
from split_tables import list_folds

from ser.dataset.manifest import Manifest
from ser.errors import InputError, LeakError
from ser.split import FromFile, Holdout, KFold, LeaveOneGroupOut, tabulate_split
from ser.split.training import take_fraction


def write_jsonl(table, path):
    path.write_text("\n".join(json.dumps(row) for row in table.to_dict("records")), encoding="utf-8")
    return str(path)


def list_emobox_folds(manifest):
    """Five folds by clip number, as EmoBox divides EmoDB: every speaker is in every fold."""
    clips = manifest.frame["clip"].to_numpy()
    rows = [
        {"clip": clip, "fold": fold, "part": "test" if number % 5 == fold else "train", "dataset": "emodb"}
        for fold in range(5)
        for number, clip in enumerate(clips)
    ]
    return pd.DataFrame(rows)


def test_folds_that_hold_every_speaker_are_refused(emodb, tmp_path):
    path = write_jsonl(list_emobox_folds(emodb), tmp_path / "folds.jsonl")
    with pytest.raises(LeakError) as caught:
        FromFile(path=path).split(emodb, False)
    assert "fold 0 has 10 speakers in both training and test: 03, 08, 09, 10, 11, 12, 13, 14 and 2 more" in str(
        caught.value
    )
    assert "4 more folds leak" in str(caught.value)
    split = FromFile(path=path, allow_overlap=True).split(emodb, False)
    assert [fold.name for fold in split.folds] == list("01234")
    assert "split.allow_overlap=true: 10 of 10 speakers are in both training and test (5 of 5 folds)" in split.notes


def test_a_file_of_test_folds(emodb, tmp_path):
    expected = KFold().split(emodb, True)
    table = tabulate_split(emodb.frame, expected)
    path = tmp_path / "folds.csv"
    table.loc[table["part"] == "test", ["clip", "fold"]].sample(frac=1, random_state=0).to_csv(path, index=False)
    assert list_folds(FromFile(path=str(path)).split(emodb, True)) == list_folds(expected)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "jsonl"])
def test_formats(emodb, tmp_path, suffix):
    expected = KFold().split(emodb, True)
    table = tabulate_split(emodb.frame, expected)
    assert list(table.columns) == ["clip", "fold", "part", "speaker", "emotion"]
    table["part"] = table["part"].replace({"validation": "dev", "train": "Training"})
    path = tmp_path / f"folds.{suffix}"
    if suffix == "jsonl":
        write_jsonl(table.assign(fold=table["fold"].astype(int)), path)
    else:
        table.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    assert list_folds(FromFile(path=str(path)).split(emodb, True)) == list_folds(expected)


def test_a_validation_part_that_nothing_needs_is_left_out(emodb, tmp_path):
    path = tmp_path / "folds.csv"
    written = KFold().split(emodb, True)
    tabulate_split(emodb.frame, written).to_csv(path, index=False)
    split = FromFile(path=str(path)).split(emodb, False)
    for fold, original in zip(split.folds, written.folds, strict=True):
        assert not len(fold.validation)
        assert (fold.train == original.train).all()
    assert any("validation part are not used" in note for note in split.notes)


def test_a_missing_validation_part_is_carved(emodb, tmp_path):
    path = tmp_path / "folds.csv"
    tabulate_split(emodb.frame, KFold().split(emodb, False)).to_csv(path, index=False)
    split = FromFile(path=str(path)).split(emodb, True)
    assert list_folds(split) == list_folds(KFold().split(emodb, True))


@pytest.mark.parametrize("validation", [False, True])
def test_training_rows_that_follow_from_the_others_are_left_out_of_long_tables(crowd, tmp_path, validation):
    split = LeaveOneGroupOut().split(crowd, validation)
    table = tabulate_split(crowd.frame, split)
    assert sum(len(fold.train) for fold in split.folds) > 2_000_000
    assert len(table) == sum(len(fold.test) + len(fold.validation) for fold in split.folds)
    assert set(table["part"]) == {"test", "validation"} if validation else {"test"}
    path = tmp_path / "split.csv"
    table.to_csv(path, index=False)
    assert list_folds(FromFile(path=str(path)).split(crowd, validation)) == list_folds(split)


@pytest.mark.parametrize("splitter", [Holdout(), KFold(disjoint=["sentence"]), KFold(fold=0), LeaveOneGroupOut()])
def test_training_rows_stay_where_they_do_not_follow_from_the_others(crowd, monkeypatch, splitter):
    split = splitter.split(crowd, False)
    if isinstance(splitter, LeaveOneGroupOut):
        split = take_fraction(crowd.frame, split, 0.2, 0)
    monkeypatch.setattr("ser.split.fold.MOST_ROWS", 0)
    table = tabulate_split(crowd.frame, split)
    assert (table["part"] == "train").sum() == sum(len(fold.train) for fold in split.folds)


def test_a_list_whose_training_clips_are_all_unknown_trains_on_no_others(emodb, tmp_path):
    rows = [("gone", "1", "train"), *((clip, "1", "test") for clip in emodb.frame["clip"][:5])]
    path = tmp_path / "folds.csv"
    pd.DataFrame(
        [*rows, *((c, "2", "test") for c in emodb.frame["clip"][5:])], columns=["clip", "fold", "part"]
    ).to_csv(path, index=False)
    with pytest.raises(InputError, match="training part of fold 1 is empty"):
        FromFile(path=str(path), unknown_clips="skip").split(emodb, False)


def test_subsets_and_partial_copies(emodb, tmp_path):
    path = tmp_path / "folds.csv"
    tabulate_split(emodb.frame, KFold().split(emodb, False)).to_csv(path, index=False)
    subset = emodb.with_emotions(["anger", "neutral"])
    with pytest.raises(InputError, match=r"folds.csv, line \d+: emodb has no clip .*\n.*\n.*unknown_clips=skip"):
        FromFile(path=str(path)).split(subset, False)
    split = FromFile(path=str(path), unknown_clips="skip").split(subset, False)
    assert len(np.unique(np.concatenate([fold.test for fold in split.folds]))) == len(subset)
    assert any("are skipped" in note for note in split.notes)
    tabulate_split(subset.frame, KFold().split(subset, False)).to_csv(path, index=False)
    notes = FromFile(path=str(path)).split(emodb, False).notes
    assert any(f"{len(emodb) - len(subset)} of {len(emodb)} clips are not in" in note for note in notes)
    other = Manifest("other", emodb.frame.assign(clip="x" + emodb.frame["clip"]))
    with pytest.raises(InputError, match="clips are unknown"):
        FromFile(path=str(path), unknown_clips="skip").split(other, False)


def test_clips_tested_twice_are_noted(emodb, tmp_path):
    table = tabulate_split(emodb.frame, KFold(fold=0).split(emodb, False))
    path = tmp_path / "folds.csv"
    pd.concat([table, table.assign(fold="again")]).to_csv(path, index=False)
    split = FromFile(path=str(path)).split(emodb, False)
    assert any("tested in more than one fold" in note for note in split.notes)


HEAD = "clip,fold,part\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no rows"),
        (HEAD, "no rows"),
        ("clip,part\n03-anger-000,train\n", "line 1: no column fold"),
        ("name,fold\n03-anger-000,1\n", "no column clip"),
        (HEAD + "03-anger-000,1,train\n\n,1,test\n", "line 4: clip is missing"),
        (HEAD + "03-anger-000,,train\n", "line 2: fold is missing"),
        (HEAD + "03-anger-000,1,train\n03-anger-001,1\n", "line 3: part is missing"),
        (HEAD + "03-anger-000,1,practice\n", "line 2: part is not one of train"),
        (HEAD + "03-anger-000,1,train\n03-anger-000,1,test\n", "line 3: the clip is in this fold already"),
        ("clip,fold\n03-anger-000,1\n03-anger-000,2\n", "line 3: the clip is in a fold already"),
        (HEAD + "03-anger-000,1,train\nnobody,1,test\n", "line 3: emodb has no clip 'nobody'"),
        (HEAD + "a,1,train\na,1,train,b,c\n", "is no table"),
    ],
)
def test_files_that_are_wrong(emodb, tmp_path, text, word):
    path = tmp_path / "folds.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        FromFile(path=str(path)).split(emodb, False)
    assert word in str(caught.value)
    assert "folds.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no rows"),
        ('{"clip": "a"\n', "line 1: not JSON"),
        ("\n[1]\n", "line 2: not a JSON object"),
        ('{"clip": "03-anger-000", "fold": 1}\n{"clip": "03-anger-001", "fold": null}', "line 2: fold is missing"),
        ('{"clip": "03-anger-000"}', "no column fold"),
    ],
)
def test_jsonl_that_is_wrong(emodb, tmp_path, text, word):
    path = tmp_path / "folds.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=word):
        FromFile(path=str(path)).split(emodb, False)
