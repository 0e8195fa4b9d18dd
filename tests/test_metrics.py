import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from ser import metrics

EMOTIONS = ["anger", "fear", "neutral", "sadness"]
labels = st.lists(st.tuples(st.sampled_from(EMOTIONS), st.sampled_from(EMOTIONS)), min_size=1, max_size=60)


def make_predictions(pairs, speakers=3):
    true, predicted = zip(*pairs, strict=True)
    speaker = [f"s{index % speakers}" for index in range(len(true))]
    gender = ["female" if name == "s0" else "male" for name in speaker]
    clip = [f"clip{index}" for index in range(len(true))]
    return pd.DataFrame({"clip": clip, "true": true, "predicted": predicted, "speaker": speaker, "gender": gender})


# Three angry clips, one taken for fear; two afraid, both taken for anger; one neutral, recognised.
PAIRS = [
    ("anger", "anger"),
    ("anger", "anger"),
    ("anger", "fear"),
    ("fear", "anger"),
    ("fear", "anger"),
    ("neutral", "neutral"),
]


def test_rows_of_a_confusion_matrix_are_true():
    counts = metrics.count_confusions(*zip(*PAIRS, strict=True), ["anger", "fear", "neutral"])
    assert counts.tolist() == [[2, 1, 0], [2, 0, 0], [0, 0, 1]]
    table = metrics.tabulate_confusion(make_predictions(PAIRS))
    assert table.index.name == "true" and table.columns.name == "predicted"
    assert table.loc["anger", "fear"] == 1 and table.loc["fear", "anger"] == 2 and table.loc["fear", "fear"] == 0


def test_scores_of_a_case_done_by_hand():
    counts = metrics.count_confusions(*zip(*PAIRS, strict=True), ["anger", "fear", "neutral"])
    np.testing.assert_allclose(metrics.recalls(counts), [2 / 3, 0, 1])
    assert metrics.uar(counts) == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert metrics.wa(counts) == pytest.approx(3 / 6)
    assert metrics.f1_macro(counts) == pytest.approx((4 / 7 + 0 + 1) / 3)


@given(pairs=labels)
@settings(max_examples=60, deadline=None)
def test_scores_are_scikit_learns(pairs):
    true, predicted = zip(*pairs, strict=True)
    counts = metrics.count_confusions(true, predicted, EMOTIONS)
    np.testing.assert_array_equal(counts, sklearn_metrics.confusion_matrix(true, predicted, labels=EMOTIONS))
    present = sorted(set(true))
    recall = sklearn_metrics.recall_score(true, predicted, labels=present, average="macro", zero_division=0)
    assert metrics.uar(counts) == pytest.approx(recall)
    assert metrics.wa(counts) == pytest.approx(sklearn_metrics.accuracy_score(true, predicted))
    named = sorted({*true, *predicted})
    f1 = sklearn_metrics.f1_score(true, predicted, labels=named, average="macro", zero_division=0)
    assert metrics.f1_macro(counts) == pytest.approx(f1)


def test_an_absent_class_has_no_recall_and_does_not_count():
    counts = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 4]])
    np.testing.assert_array_equal(np.isnan(metrics.recalls(counts)), [False, True, False])
    assert metrics.uar(counts) == pytest.approx((0.75 + 1) / 2)


def test_no_clips_have_no_scores():
    assert all(np.isnan(function(np.zeros((2, 2), int))) for function in (metrics.uar, metrics.wa, metrics.f1_macro))


@given(pairs=labels)
@settings(max_examples=20, deadline=None)
def test_scores_of_many_matrices_are_those_of_each(pairs):
    frame = make_predictions(pairs)
    counts = metrics.count_by_group(frame["true"], frame["predicted"], frame["speaker"], EMOTIONS)
    for function in (metrics.uar, metrics.wa, metrics.f1_macro):
        np.testing.assert_allclose(function(counts), [function(matrix) for matrix in counts])
    for name, matrix in zip(sorted(set(frame["speaker"])), counts, strict=True):
        own = frame[frame["speaker"] == name]
        np.testing.assert_array_equal(matrix, metrics.count_confusions(own["true"], own["predicted"], EMOTIONS))


def make_speakers(seed=0, speakers=10, clips=30):
    """Predictions whose accuracy differs from speaker to speaker."""
    rng = np.random.default_rng(seed)
    rows = []
    for speaker in range(speakers):
        accuracy = rng.uniform(0.3, 0.95)
        for clip in range(clips):
            true = EMOTIONS[clip % 4]
            predicted = true if rng.random() < accuracy else rng.choice(EMOTIONS)
            rows.append((f"{speaker}-{clip}", true, predicted, f"s{speaker}"))
    return pd.DataFrame(rows, columns=["clip", "true", "predicted", "speaker"])


def make_rare(showing, speakers=10, seed=0):
    """The same, but only some speakers show sadness, which nobody recognises."""
    frame = make_speakers(seed, speakers)
    sad = frame["true"] == "sadness"
    frame.loc[sad, "predicted"] = "fear"
    return frame[~sad | frame["speaker"].isin([f"s{speaker}" for speaker in range(showing)])]


def test_the_interval_is_that_of_resampling_speakers_one_by_one():
    frame = make_speakers()
    scores = metrics.score(frame, "test", by=())
    rng, values = np.random.default_rng(1), {"uar": [], "wa": []}
    clips = dict(list(frame.groupby("speaker")))
    for _ in range(600):
        drawn = pd.concat([clips[speaker] for speaker in rng.choice(list(clips), len(clips))])
        recall = (drawn["true"] == drawn["predicted"]).groupby(drawn["true"]).mean()
        values["uar"].append(recall.mean())
        values["wa"].append((drawn["true"] == drawn["predicted"]).mean())
    for name, drawn in values.items():
        low, high = np.quantile(drawn, [0.025, 0.975])
        tolerance = 4 * np.std(drawn) / np.sqrt(600) / 0.35  # Monte Carlo error of an extreme quantile, generously
        assert scores[f"test/{name}_ci_low"] == pytest.approx(low, abs=tolerance)
        assert scores[f"test/{name}_ci_high"] == pytest.approx(high, abs=tolerance)
        assert scores[f"test/{name}_ci_low"] < scores[f"test/{name}"] < scores[f"test/{name}_ci_high"]


def test_the_interval_depends_on_speakers_not_on_clips():
    frame = make_speakers()
    doubled = pd.concat([frame, frame])
    one, two = (metrics.score(table, "test", by=()) for table in (frame, doubled))
    for name in ("uar", "uar_ci_low", "uar_ci_high"):
        assert two[f"test/{name}"] == pytest.approx(one[f"test/{name}"])


def test_resampling_keeps_the_number_of_groups():
    counts = np.ones((7, 2, 2), int)
    assert (metrics.resample_groups(counts, 50).sum((1, 2)) == 28).all()


def draw_by_hand(frame, draws=400):
    """UAR of samples of speakers drawn one by one; those without sadness apart."""
    rng, whole, lacking = np.random.default_rng(1), [], []
    clips = dict(list(frame.groupby("speaker")))
    for _ in range(draws):
        drawn = pd.concat([clips[speaker] for speaker in rng.choice(list(clips), len(clips))])
        recall = (drawn["true"] == drawn["predicted"]).groupby(drawn["true"]).mean()
        (whole if len(recall) == 4 else lacking).append(recall.mean())
    return whole, lacking


def test_samples_without_a_class_do_not_count_in_the_interval():
    frame = make_rare(2)
    whole, lacking = draw_by_hand(frame)
    # Sadness is never recognised, so whoever does not show it raises a mean over the classes that are left.
    assert min(lacking) > np.mean(whole)
    low, high = metrics.find_uar_interval([metrics.count_by_speaker(frame)])
    assert (low, high) == pytest.approx(np.quantile(whole, [0.025, 0.975]), abs=0.03)
    assert high < np.quantile(whole + lacking, 0.975) - 0.05
    assert low < metrics.score(frame, "test", by=())["test/uar"] < high


def test_samples_are_those_of_plain_resampling_where_every_speaker_shows_every_class():
    counts = metrics.count_by_speaker(make_speakers())
    samples, share = metrics.resample_classes(counts)
    np.testing.assert_array_equal(samples, metrics.resample_groups(counts))
    assert share == 0


def test_every_sample_has_every_class_and_the_share_drawn_anew_is_that_of_theory():
    counts = metrics.count_by_speaker(make_rare(2))
    samples, share = metrics.resample_classes(counts)
    assert len(samples) == metrics.DRAWS and (samples.sum(-1) > 0).all()
    assert share == pytest.approx(0.8**10, abs=0.02)


def test_the_interval_covers_the_truth_and_misses_on_both_sides():
    """Ten speakers, three of whom show a hard class: speakers' recalls are beta with the means 0.7 and 0.2."""
    rng, truth, ends = np.random.default_rng(0), (3 * 0.7 + 0.2) / 4, []
    for _ in range(300):
        recall = rng.beta(8 * np.array([0.7, 0.7, 0.7, 0.2]), 8 * np.array([0.3, 0.3, 0.3, 0.8]), (10, 4))
        hits = rng.binomial(6, recall)
        counts = np.zeros((10, 4, 4), int)
        for emotion in range(4):
            counts[:, emotion, emotion] = hits[:, emotion]
            counts[:, emotion, emotion - 1] = 6 - hits[:, emotion]
        counts[3:, 3] = 0
        ends.append(metrics.find_uar_interval([counts]))
    low, high = np.array(ends).T
    # A percentile interval over ten speakers who all show every class covers 0.91 of such worlds.
    assert np.mean((low <= truth) & (truth <= high)) > 0.82
    assert 0.02 < np.mean(truth < low) < 0.1 and 0.02 < np.mean(truth > high) < 0.1
    assert np.mean(low + high) / 2 == pytest.approx(truth, abs=0.01)


def test_a_class_that_one_speaker_alone_shows_leaves_no_interval():
    frame = make_rare(1)
    scores = metrics.score(frame, "test", by=())
    assert np.isnan([scores["test/uar_ci_low"], scores["test/uar_ci_high"]]).all()
    assert scores["test/wa_ci_low"] < scores["test/wa"] < scores["test/wa_ci_high"]
    assert metrics.explain_interval(frame) == "UAR has no interval, because one speaker alone shows sadness"
    both = metrics.score_sets({"test/a": frame, "test/b": make_speakers()}, "test", ())
    assert np.isnan(both["test/uar_ci_low"]) and both["test/b/uar_ci_low"] > 0


def test_few_speakers_of_a_class_are_said():
    note = metrics.explain_interval(make_rare(2, speakers=20))
    assert note.startswith("UAR has too narrow an interval: 1") and "sadness 2 of 20" in note
    assert metrics.explain_interval(make_rare(3, speakers=40)) == metrics.explain_interval(make_speakers()) == ""
    assert metrics.explain_interval(make_predictions(PAIRS, speakers=1)) == ""


def test_no_interval_where_nearly_all_samples_lack_a_class():
    """Thirty classes, each shown by two of sixty speakers."""
    rows = [(f"{s}-{t}", f"e{s // 2}", f"e{s // 2}", f"s{s}") for s in range(60) for t in range(2)]
    frame = pd.DataFrame(rows, columns=["clip", "true", "predicted", "speaker"])
    assert np.isnan(metrics.find_uar_interval([metrics.count_by_speaker(frame)])).all()
    assert metrics.explain_interval(frame).startswith("UAR has no interval: 9")


def test_clips_that_several_folds_test_count_once():
    frame = pd.concat([make_speakers(seed) for seed in range(3)])  # other predictions of the same clips
    scores = metrics.score(frame.assign(gender="female"), "test")
    assert scores["test/n_clips"] == scores["test/gender/female/n_clips"] == 300
    assert scores["test/n_predictions"] == 900 and scores["test/n_speakers"] == 10
    assert metrics.score_levels(frame, "speaker")["n_clips"].tolist() == [30] * 10


def test_one_speaker_gives_no_interval():
    scores = metrics.score(make_predictions(PAIRS, speakers=1), "test")
    assert all(np.isnan(scores[f"test/{name}_ci_{side}"]) for name in ("uar", "wa") for side in ("low", "high"))
    assert scores["test/uar"] == pytest.approx(5 / 9) and scores["test/n_speakers"] == 1


def test_names_and_values_of_all_scores():
    scores = metrics.score(make_predictions(PAIRS), "val")
    assert set(scores) == {
        "val/uar", "val/uar_ci_low", "val/uar_ci_high", "val/wa", "val/wa_ci_low", "val/wa_ci_high", "val/f1_macro",
        "val/recall/anger", "val/recall/fear", "val/recall/neutral", "val/n_clips", "val/n_predictions",
        "val/n_speakers", "val/gender/female/uar", "val/gender/female/wa", "val/gender/female/n_clips",
        "val/gender/male/uar", "val/gender/male/wa", "val/gender/male/n_clips",
    }  # fmt: skip
    assert all(type(value) is float for value in scores.values())
    assert scores["val/n_clips"] == 6 and scores["val/recall/anger"] == pytest.approx(2 / 3)
    # s0, the only woman, has clips 0 and 3: one of two right, and an anger that is fear
    assert scores["val/gender/female/uar"] == 0.5 and scores["val/gender/female/n_clips"] == 2


def test_a_class_that_is_only_ever_predicted_has_no_recall():
    scores = metrics.score(make_predictions([("anger", "anger"), ("anger", "fear"), ("anger", "anger")]), "test", by=())
    assert "test/recall/anger" in scores and "test/recall/fear" not in scores
    assert scores["test/uar"] == pytest.approx(2 / 3)


def test_levels_of_any_column():
    frame = make_predictions(PAIRS).assign(session=["one", "one", None, "two", "two", "one"])
    table = metrics.score_levels(frame, "session")
    assert table.index.tolist() == ["one", "two"] and table.index.name == "session"
    assert table.loc["one"].to_dict() == {"uar": 1.0, "wa": 1.0, "n_clips": 3}
    assert table.loc["two", "uar"] == 0.0


def test_numbers_as_levels_and_a_column_without_any():
    frame = make_predictions(PAIRS).assign(age=[30.0, 31, 30, 31, 30, 31], nothing=None)
    assert len(metrics.score_levels(frame, "age")) == 2
    assert len(metrics.score_levels(frame, "nothing")) == 0
    metrics.score(frame, "test", by=["nothing"])
