"""Allocation and what it achieves: balance, speed, the table that describes it."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from split_tables import EMOTIONS, build_manifest, quick

from ser.split import Holdout, KFold, Split, allocate_groups, describe_balance
from ser.split.fold import make_fold
from ser.split.strata import label_levels


def measure_imbalance(counts, parts, number):
    table = np.array([counts[parts == part].sum(axis=0) for part in range(number)])
    kept = counts.sum(axis=0) > 0
    return np.sqrt(((table[:, kept] / counts[:, kept].sum(axis=0) * number - 1) ** 2).mean())


@quick
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(2, 6))
def test_every_part_gets_a_group(seed, groups, number):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, (groups, 4))
    shares = rng.uniform(0.05, 1, number)
    parts = allocate_groups(counts, shares, seed)
    assert parts.shape == (groups,)
    assert len(np.unique(parts)) == min(groups, number)
    assert set(parts) <= set(range(number))
    assert (parts == allocate_groups(counts, shares, seed)).all()


def test_balance_is_no_worse_than_sklearn():
    from sklearn.model_selection import StratifiedGroupKFold

    rng, ours, theirs = np.random.default_rng(0), [], []
    for seed in range(30):
        groups, levels, number = rng.integers(6, 40), rng.integers(2, 8), rng.integers(2, 6)
        counts = rng.integers(0, 15, (groups, levels)) * (rng.random((groups, levels)) < 0.7)
        counts[:, 0] += 5
        y = np.concatenate([np.repeat(np.arange(levels), row) for row in counts])
        of_clip, parts = np.repeat(np.arange(groups), counts.sum(axis=1)), np.zeros(groups, int)
        folds = StratifiedGroupKFold(number, shuffle=True, random_state=seed).split(y, y, of_clip)
        for part, (_, test) in enumerate(folds):
            parts[of_clip[test]] = part
        theirs.append(measure_imbalance(counts, parts, number))
        ours.append(measure_imbalance(counts, allocate_groups(counts, [1] * number, seed), number))
    assert np.mean(ours) <= np.mean(theirs)


def test_large_corpora_are_dealt_in_well_under_a_second():
    counts = np.random.default_rng(0).poisson(2, (500, 40))
    start = time.process_time()
    parts = allocate_groups(counts, [1] * 5, 0)
    assert time.process_time() - start < 0.8
    assert measure_imbalance(counts, parts, 5) < 0.05


def test_a_dominant_group_goes_where_it_fits():
    counts = np.array([[100]] + [[5]] * 20)
    for seed in range(10):
        assert allocate_groups(counts, [0.8, 0.2], seed)[0] == 0


@pytest.mark.parametrize("validation", [False, True])
def test_gender_and_emotion_are_balanced_in_every_part(crowd, validation):
    split = Holdout(stratify=["emotion", "gender", "age"]).split(crowd, validation)
    table = describe_balance(crowd.frame, split, ["emotion", "gender", "age"])
    whole = describe_balance(
        crowd.frame, Split([make_fold(0, "all", np.arange(len(crowd)), [])]), ["emotion", "gender", "age"]
    )
    expected = whole.set_index(["column", "level"])["share"]
    common = table[table["level"] != "other"]
    achieved = common.set_index(["column", "level"])["share"]
    assert (achieved - expected.reindex(achieved.index)).abs().max() < 0.02
    sizes = [len(rows) / len(crowd) for rows in split.folds[0].parts().values()]
    wished = [0.64, 0.16, 0.2] if validation else [0.8, 0, 0.2]
    assert np.abs(np.subtract(sizes, wished)).max() < 0.02


def test_kfold_pairs_the_genders_of_emodb(emodb):
    for seed in range(5):
        split = KFold(stratify=["gender"], seed=seed).split(emodb, False)
        table = describe_balance(emodb.frame, split, ["gender"])
        test = table[(table["part"] == "test") & (table["level"] == "female")]
        assert (test["speakers"] == 1).sum() >= 4


def test_balance_table(emodb):
    split = KFold().split(emodb, True)
    table = describe_balance(emodb.frame, split, ["emotion", "gender"])
    assert list(table.columns) == ["fold", "part", "column", "level", "clips", "share", "speakers"]
    sums = table.groupby(["fold", "part", "column"])[["clips", "share"]].sum()
    assert np.allclose(sums["share"], 1)
    assert sums["clips"].groupby(["fold", "column"]).sum().eq(len(emodb)).all()
    test = table[(table["part"] == "test") & (table["column"] == "gender")]
    assert test.groupby("level")["speakers"].sum().to_dict() == {"female": 5, "male": 5}
    assert describe_balance(emodb.frame, split, []).columns.tolist() == table.columns.tolist()


def test_ages_are_terciles_over_speakers(emodb):
    ages = label_levels(emodb.frame, "age")
    per_speaker = ages.groupby(emodb.frame["speaker"]).first().value_counts().to_dict()
    assert per_speaker == {"21-30": 4, "31-32": 4, "34-35": 2}
    unknown = emodb.frame.assign(age=emodb.frame["age"].where(emodb.frame["speaker"] != "03"))
    assert set(label_levels(unknown, "age")[unknown["speaker"] == "03"]) == {"missing"}


def test_numbers_with_few_values_stay_levels(emodb):
    frame = emodb.frame.assign(intensity=1.0, take=np.arange(len(emodb)) % 3)
    assert set(label_levels(frame, "intensity")) == {"1"}
    assert set(label_levels(frame, "take")) == {"0", "1", "2"}
    assert label_levels(frame.assign(arousal=np.linspace(0, 1, len(frame))), "arousal").nunique() == 3


def test_columns_weigh_the_same_whatever_their_levels(emodb):
    """With one weight for every level, ten sentences would outvote two genders."""
    for seed in range(10):
        split = Holdout(stratify=["sentence", "gender"], seed=seed).split(emodb, False)
        table = describe_balance(emodb.frame, split, ["gender"])
        assert table.loc[table["part"] == "test", "speakers"].tolist() == [1, 1]


def test_equal_speakers_are_dealt_evenly():
    manifest = build_manifest({f"{s:02d}": dict.fromkeys(EMOTIONS, 2) for s in range(20)})
    split = KFold(folds=5, stratify=[]).split(manifest, True)
    assert all(len(fold.test) == 4 * 14 for fold in split.folds)
    assert all(len(fold.validation) == 3 * 14 for fold in split.folds)
