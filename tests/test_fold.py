from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from ser.backbone.noise import Noise
from ser.fold import Recipe, append_history, read_history, run_fold, shuffle_labels
from ser.head.data import Part
from ser.head.estimators import EstimatorHead
from ser.head.trunk import Trunk
from ser.results import read_json
from ser.split.fold import Fold

EMOTIONS = ["anger", "neutral", "sadness"]


def make_fold(part, validation=None, test="03"):
    speakers = part.speakers
    rows = {name: np.flatnonzero(speakers == name) for name in set(speakers)}
    train = np.sort(np.concatenate([rows[name] for name in rows if name not in (validation, test)]))
    return Fold(2, test, train, rows[validation] if validation else np.array([], dtype=int), rows[test])


def make_recipe(head=None, training=None):
    return Recipe(
        head or EstimatorHead(LogisticRegression()),
        Trunk(Noise()),
        training,
        EMOTIONS,
        ["gender", "take"],
        lambda rows: rows,
    )


def run(folder, part, fold=None, recipe=None):
    logged = []
    result = run_fold(
        recipe or make_recipe(), part, part, fold or make_fold(part), folder, lambda m, epoch: logged.append((epoch, m))
    )
    return result, logged


@pytest.fixture
def part(build_part):
    return build_part(noise=3.0)


def make_network_recipe():
    import torch
    from torch import nn

    from ser.head.network import NetworkHead
    from ser.training.fit import Training

    training = Training(
        partial(torch.optim.Adam, lr=0.01), None, nn.CrossEntropyLoss, 0, 3, accelerator="cpu",
        early_stopping={"monitor": "val/uar", "mode": "max"},
    )  # fmt: skip
    return make_recipe(NetworkHead(), training)


def test_the_test_part_is_scored_in_order(part, tmp_path):
    fold = make_fold(part)
    result, logged = run(tmp_path, part, fold)
    assert result.test["clip"].tolist() == part.frame["clip"].iloc[fold.test].tolist()
    assert set(result.test["speaker"]) == {"03"} and set(result.test["fold"]) == {"03"}
    assert len(result.validation) == 0 and len(result.history) == 0 and logged == []
    folder = tmp_path / "checkpoints" / "fold-2"
    assert read_json(folder / "done.json") == {"fold": "03"}
    assert read_json(folder / "fitted.json") == {"emotions": EMOTIONS}
    assert (folder / "model.pkl").is_file()


def test_a_network_leaves_history_and_validation(part, tmp_path):
    result, logged = run(tmp_path, part, make_fold(part, "02"), make_network_recipe())
    assert set(result.validation["speaker"]) == {"02"}
    assert sorted(result.history["epoch"].unique()) == [0, 1, 2]
    assert set(result.history["metric"]) == {"train/loss", "train/lr", "val/loss", "val/uar", "val/wa"}
    assert [epoch for epoch, _ in logged] == [0, 1, 2] and "fold-2/val/uar" in logged[0][1]


def test_a_fold_that_was_done_is_read_and_not_fitted(part, tmp_path):
    class Never(EstimatorHead):
        def fit(self, *_):
            raise AssertionError("fitted again")

    first, _ = run(tmp_path, part)
    again, _ = run(tmp_path, part, recipe=make_recipe(Never(LogisticRegression())))
    pd.testing.assert_frame_equal(again.test, first.test)


def test_a_fold_that_was_broken_off_is_fitted_again(part, tmp_path):
    first, _ = run(tmp_path, part)
    (tmp_path / "checkpoints" / "fold-2" / "done.json").unlink()
    (tmp_path / "checkpoints" / "fold-2" / "test.parquet").write_bytes(b"half")
    again, _ = run(tmp_path, part)
    pd.testing.assert_frame_equal(again.test, first.test)


@pytest.mark.parametrize("kind", ["tuned svm", "logreg", "network"])
def test_noise_in_place_of_the_test_clips_leaves_the_model_as_it_was(part, tmp_path, kind):
    fold = make_fold(part, "02" if kind == "network" else None)
    noise = part.features.copy()
    noise[fold.test] = np.random.default_rng(9).normal(50, 9, noise[fold.test].shape)
    emotions = part.frame["emotion"].copy()
    emotions.iloc[fold.test] = "anger"
    spoilt = Part(part.frame.assign(emotion=emotions), part.samples + 1, noise, part.preparation)
    files = []
    for name, clips in (("clean", part), ("spoilt", spoilt)):
        recipe = {
            "tuned svm": lambda: make_recipe(EstimatorHead(SVC(), {"C": [0.1, 1, 10]}, class_weight="balanced")),
            "logreg": lambda: make_recipe(EstimatorHead(LogisticRegression())),
            "network": make_network_recipe,
        }[kind]()
        result, _ = run(tmp_path / name, clips, fold, recipe)
        folder = tmp_path / name / "checkpoints" / "fold-2"
        files.append((folder / ("model.pt" if kind == "network" else "model.pkl")).read_bytes())
        files.append(result.validation.to_json())
        files.append(result.test["p_anger"].tolist())
    assert files[0] == files[3] and files[1] == files[4]
    assert files[2] != files[5], "the test part was not replaced"


def test_history_of_a_resumed_fold_counts_the_second_time(tmp_path):
    path = tmp_path / "history.csv"
    for epoch, value in ((0, 1.0), (1, 2.0), (2, 3.0), (1, 2.5), (2, 3.5), (3, 4.5)):
        append_history(path, "03", epoch, {"train/loss": value, "val/uar": value / 10})
    history = read_history(path)
    losses = history[history["metric"] == "train/loss"]
    assert losses["epoch"].tolist() == [0, 1, 2, 3] and losses["value"].tolist() == [1.0, 2.5, 3.5, 4.5]
    assert set(history["fold"]) == {"03"} and len(history) == 8


def test_shuffled_labels_go_together_and_say_nothing_of_the_clips(build_part):
    part = build_part(speakers=6, takes=20)
    votes = (part.frame["emotion"] == "anger").astype(float)
    part = replace(part, frame=part.frame.assign(rated_anger=votes))
    shuffled = shuffle_labels(part, 1).frame
    assert sorted(shuffled["emotion"]) == sorted(part.frame["emotion"])
    assert ((shuffled["emotion"] == "anger") == (shuffled["rated_anger"] == 1)).all()
    assert (shuffled["emotion"] == part.frame["emotion"]).mean() == pytest.approx(1 / 3, abs=0.1)
    assert shuffled["clip"].tolist() == part.frame["clip"].tolist()
    assert shuffle_labels(part, 1).frame.equals(shuffled) and not shuffle_labels(part, 2).frame.equals(shuffled)
