import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.explainer.evaluation import compare, summarise, tabulate_explainers
from ser.explainer.evaluation.summary import tabulate_planted
from ser.explainer.summary import read_metrics, write_summary
from ser.statistics.bootstrap import bootstrap_speakers


def make_scores(values, method="m", metric="insertion_deletion", speakers=None, correct=None):
    """Scores of clips that belong to speakers in turn."""
    count = len(values)
    clips = [f"c{n}" for n in range(count)]
    speakers = [f"s{n % 6}" for n in range(count)] if speakers is None else speakers
    frame = {"clip": clips, "dataset": "d", "speaker": speakers, "true": "a", "predicted": "a", "correct": True}
    frame |= {"method": method, "metric": metric, "value": np.asarray(values, float)}
    found = pd.DataFrame(frame)
    return found if correct is None else found.assign(correct=correct)


VALUES = np.random.default_rng(0).normal(size=24)


def take(table, method="m", subset="all", metric="insertion_deletion"):
    rows = table[(table["method"] == method) & (table["subset"] == subset) & (table["metric"] == metric)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_row_has_the_mean_over_clips_and_how_many_there_are():
    row = take(summarise(make_scores(VALUES)))
    assert row["mean"] == pytest.approx(VALUES.mean()) and (row["clips"], row["speakers"]) == (24, 6)


def test_intervals_are_those_of_a_bootstrap_over_speakers():
    row = take(summarise(make_scores(VALUES), draws=20000))
    by_speaker = VALUES.reshape(4, 6).mean(0)
    low, high = bootstrap_speakers(by_speaker, np.full(6, 4.0)).ci
    assert row["ci_low"] == pytest.approx(low, abs=0.02) and row["ci_high"] == pytest.approx(high, abs=0.02)


def test_clips_of_one_speaker_do_not_count_as_independent():
    speakers = [f"s{n // 12}" for n in range(24)]
    shifted = VALUES * 0.1 + np.repeat([0.0, 3.0], 12)
    row = take(summarise(make_scores(shifted, speakers=speakers)))
    assert row["ci_high"] - row["ci_low"] > 2.5


def test_one_speaker_gives_no_interval():
    row = take(summarise(make_scores(VALUES, speakers=["s"] * 24)))
    assert np.isfinite(row["mean"]) and np.isnan(row["ci_low"]) and row["speakers"] == 1


def test_correct_and_wrong_predictions_stand_apart():
    table = summarise(make_scores([1, 1, 5, 5], correct=[True, True, False, False]))
    assert [take(table, subset=subset)["mean"] for subset in ("all", "correct", "wrong")] == [3, 1, 5]


@settings(max_examples=20, deadline=None)
@given(st.floats(-3, 3), st.floats(0.1, 5))
def test_skill_is_where_a_score_lies_between_chance_and_the_oracle(shift, scale):
    chance, best = VALUES, VALUES + 2
    own = VALUES + 0.5
    frames = [make_scores(scale * one + shift, name) for one, name in ((own, "m"), (chance, "random"), (best, "best"))]
    table = summarise(frames[0], pd.concat(frames[1:]), draws=50)
    assert take(table)["skill"] == pytest.approx(0.25)
    assert take(table)["skill_low"] == pytest.approx(0.25) and take(table)["skill_high"] == pytest.approx(0.25)
    assert take(table, "random")["skill"] == pytest.approx(0) and take(table, "best")["skill"] == pytest.approx(1)


def test_skill_is_of_the_clips_that_all_three_are_scored_on():
    own = make_scores([0.5, 9.0], "m")
    reference = pd.concat([make_scores([0.0], "random"), make_scores([1.0], "best")])
    assert take(summarise(own, reference))["skill"] == pytest.approx(0.5)


def test_skill_needs_an_oracle_and_a_better_way():
    assert np.isnan(take(summarise(make_scores(VALUES), make_scores(VALUES, "random")))["skill"])
    same = pd.concat([make_scores(VALUES, name) for name in ("random", "best")])
    assert np.isnan(take(summarise(make_scores(VALUES), same))["skill"])
    frames = [make_scores(VALUES + n, name, "like_energy") for n, name in enumerate(("m", "random", "best"))]
    assert np.isnan(take(summarise(pd.concat(frames)), metric="like_energy")["skill"])


def test_sanity_checks_pass_or_fail():
    scores = pd.concat([make_scores([0.1, 0.1], metric="random_weights"), make_scores([1, 1], "e", "random_weights")])
    table = summarise(pd.concat([scores, make_scores([1, 1])]))
    assert take(table, metric="random_weights")["passed"] is True
    assert take(table, "e", metric="random_weights")["passed"] is False
    assert take(table)["passed"] is None


def test_no_scores_give_an_empty_table():
    assert summarise(make_scores([])).empty and compare(make_scores([])).empty


def test_pairs_are_compared_over_speakers_on_clips_that_both_have():
    better = make_scores(VALUES + 1, "a")
    scores = pd.concat([better, make_scores(VALUES, "b").iloc[:-1], make_scores(VALUES[::-1], "c")])
    found = compare(scores).set_index(["a", "b"])
    row = found.loc[("a", "b")]
    assert row["difference"] == pytest.approx(1) and (row["clips"], row["speakers"]) == (23, 6)
    assert row["rank_biserial"] == 1 and row["p_holm"] >= row["p"] and len(found) == 3
    assert row["p_holm"] == pytest.approx(min(1, 3 * row["p"]))


def test_the_oracle_is_not_compared_and_few_speakers_show_nothing():
    scores = pd.concat([make_scores(VALUES[:4] + n, name, speakers=["s", "t"] * 2) for n, name in enumerate("ab")])
    found = compare(pd.concat([scores, make_scores(VALUES[:4], "best")]))
    assert len(found) == 1 and found["p"].item() >= 0.25


def test_metrics_can_be_chosen():
    scores = pd.concat([make_scores(VALUES + n, name, "deletion_auc/noise") for n, name in enumerate("ab")])
    assert compare(scores).empty
    assert compare(scores, ["deletion_auc/noise"])["metric"].tolist() == ["deletion_auc/noise"]


def test_a_row_an_explainer_with_all_its_metrics():
    frames = [make_scores(VALUES + n, name) for n, name in enumerate(("random", "m", "best"))]
    frames.append(make_scores([0.1, 0.2], "m", "random_weights"))
    frames.append(make_scores([0.1, 0.2], "m", "deletion_auc/noise"))
    wide = tabulate_explainers(summarise(pd.concat(frames)))
    assert wide.index.tolist() == ["random", "m", "best"] and wide.loc["m", "insertion_deletion_skill"] == 0.5
    assert wide.loc["m", "random_weights"] == pytest.approx(0.15) and np.isnan(wide.loc["best", "random_weights"])
    assert wide.loc["m", "random_weights_passed"] is True and "random_weights_skill" not in wide.columns
    assert not [name for name in wide.columns if "/" in name]


def test_planted_scores_have_their_chance_and_ideal():
    scores = {"loc_ap": 0.6, "prevalence": 0.2, "enrichment": 3, "cue_sign": 0.7, "cue_sign_chance": 0.5, "valid": 1}
    rows = [make_scores([value] * 6, metric=metric) for metric, value in scores.items()]
    rows += [make_scores([0.4] * 6, metric="cue_sign_chance", method="other")]
    rows += [make_scores([0.9] * 6, metric="cue_sign", method="other"), make_scores([5] * 6, "best", "enrichment")]
    table = tabulate_planted(summarise(pd.concat(rows))).set_index(["metric", "method"])
    bounds = table[["mean", "chance", "ideal"]].T.to_dict("list")
    assert bounds == {
        ("loc_ap", "m"): pytest.approx([0.6, 0.2, 1]),
        ("enrichment", "m"): pytest.approx([3, 1, 5]),
        ("cue_sign", "m"): pytest.approx([0.7, 0.5, 1]),
        ("cue_sign", "other"): pytest.approx([0.9, 0.4, 1]),
    }
    assert not len(tabulate_planted(summarise(make_scores(VALUES))))


def test_scores_of_all_clips_together_bring_their_intervals_along(tmp_path):
    whole = {"m": {"causal_rho": [0.5, 0.2, 0.8], "plausibility": 0.3}}
    table = write_summary(tmp_path, make_scores(VALUES), draws=50, whole=whole)
    row = take(table, metric="causal_rho")
    assert (row["mean"], row["ci_low"], row["ci_high"]) == (0.5, 0.2, 0.8)
    metrics = read_metrics(table, "m")
    assert metrics["scores/causal_rho_ci_low"] == 0.2 and "scores/plausibility_ci_low" not in metrics
    planted = pd.read_csv(tmp_path / "planted.csv")
    assert planted["metric"].tolist() == ["causal_rho"] and planted["chance"].tolist() == [0]
