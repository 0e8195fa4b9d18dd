"""The test part decides nothing, and where there is nothing to learn the score is chance."""

import numpy as np
import pandas as pd
import pytest
from study_tools import TINY_CNN

TESTED = "s05"
NETWORK = ["trainer.max_epochs=4", "trainer.batch_size=8"]


def read_state(folder):
    """All that a fitted model is, by name: arrays and plain values."""
    if (folder / "model.pt").is_file():
        import torch

        return {name: value.numpy() for name, value in torch.load(folder / "model.pt", weights_only=True).items()}
    from ser.head.pickles import load_pickle

    scaler, estimator = (step for _, step in load_pickle(folder / "model.pkl").steps)
    return {
        **{f"scaler.{name}": value for name, value in vars(scaler).items()},
        **{f"estimator.{name}": value for name, value in vars(estimator).items()},
    }


@pytest.mark.parametrize(
    "choices",
    [
        ["backbone=egemaps", "head=svm", "class_weight=balanced"],
        ["backbone=egemaps", "head=mlp", *NETWORK],
        [*TINY_CNN, "head=linear", *NETWORK],
    ],
    ids=["svm", "mlp", "mel_cnn"],
)
def test_noise_as_test_clips_changes_nothing_that_was_fitted(choices, write_corpus, tmp_path, train):
    keys = [*choices, "split=fixed", f"split.test_speakers=[{TESTED}]"]
    fitted, predictions = [], []
    for name, noisy in (("clean", ()), ("noisy", (TESTED,))):
        corpus = write_corpus(tmp_path / name, noisy=noisy)
        _, folder = train(*corpus.overrides, *keys, name=f"run-{name}")
        fitted.append(read_state(folder / "checkpoints" / "fold-0"))
        predictions.append(pd.read_parquet(folder / "predictions.parquet"))
    clean, noisy = fitted
    assert clean.keys() == noisy.keys() and len(clean) > 4
    for name, value in clean.items():
        if isinstance(value, np.ndarray):
            assert value.dtype == noisy[name].dtype and value.tobytes() == noisy[name].tobytes(), name
        else:
            assert repr(value) == repr(noisy[name]), name
    if "head=svm" in choices:
        assert {"scaler.mean_", "scaler.scale_", "estimator.C", "estimator.gamma", "estimator.class_weight_"} <= set(
            clean
        )
        assert clean["estimator.support_vectors_"].size > 0
    # The test clips did change.
    columns = [column for column in predictions[0] if column.startswith("p_")]
    assert set(predictions[0]["speaker"]) == {TESTED}
    assert not np.allclose(predictions[0][columns], predictions[1][columns])


@pytest.fixture(scope="module")
def crowd(tmp_path_factory, write_corpus):
    """320 clips: 10 speakers x 4 emotions x 8 takes."""
    emotions = ("anger", "neutral", "sadness", "surprise")
    return write_corpus(tmp_path_factory.mktemp("crowd"), 10, emotions, takes=8, seconds=0.05)


@pytest.mark.parametrize(
    "head",
    [["head=svm"], ["head=logreg", "head.grid.C=[0.01,1]"], ["head=mlp", "trainer.max_epochs=8", "split.folds=3"]],
    ids=["svm", "logreg", "mlp"],
)
def test_noise_in_place_of_features_scores_at_chance(head, crowd, train):
    outcome, folder = train(*crowd.overrides, "backbone=noise", "backbone.dim=40", "split=kfold", *head)
    table = pd.read_parquet(folder / "predictions.parquet")
    clips = table["true"].value_counts()
    assert len(table) == 320 and len(clips) == 4
    chance = 1 / 4
    error = np.sqrt((chance * (1 - chance) / clips).sum()) / 4
    assert abs(outcome.metrics["test/uar"] - chance) < 3 * error
    assert 0.01 < error < 0.03
    # At chance because there is nothing to learn, not because nothing was predicted.
    assert table["predicted"].nunique() == 4


def test_the_same_corpus_without_noise_is_learned(crowd, train):
    """The control of the control: what the noise hides is there."""
    outcome, _ = train(*crowd.overrides, *TINY_CNN, "head=linear", "trainer.max_epochs=6", "optimizer.lr=0.01")
    assert outcome.metrics["test/uar"] > 0.6
