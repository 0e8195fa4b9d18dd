"""Scores of an independent implementation, reproduced on the real corpus (eGeMAPSv02, z-scores, SVC RBF C=1)."""

import pytest

KEYS = [
    "dataset=emodb",
    "dataset.emotions=[anger,happiness,neutral,sadness]",
    "backbone=egemaps",
    "head=svm",
    "head.tune=false",
    "on_bad_audio=fail",
]
FIXED = ["split.train_speakers=['03','08','09','10','11','12']", "split.test_speakers=['13','14','15','16']"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One feature store for both."""
    return f"paths.cache={tmp_path_factory.mktemp('cache')}"


@pytest.mark.data("emodb")
@pytest.mark.parametrize(
    ("split", "expected", "clips"),
    [(["split=loso"], 0.792, 339), (["split=fixed", *FIXED], 0.723, None)],
    ids=["loso", "fixed"],
)
def test_uar_of_the_peer(split, expected, clips, train, cache, corpus_root):
    outcome, _ = train(*KEYS, f"dataset.root={corpus_root}", *split, cache)
    assert outcome.metrics["test/uar"] == pytest.approx(expected, abs=0.005)
    if clips:
        assert outcome.metrics["test/n_clips"] == clips and outcome.metrics["test/n_speakers"] == 10
