"""Gaps between groups of speakers by hand and by enumeration; comparisons with a baseline against scipy."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ser.errors import InputError
from ser.statistics import baseline, groups, tallies

EMOTIONS = ["anger", "joy", "sadness"]


def make_predictions(speakers=6, runs=("r0", "r1"), gap=0.0, seed=0, conditions=None):
    """One row per run and utterance; speakers alternate between two groups, ``f`` is better by ``gap``."""
    rng = np.random.default_rng(seed)
    rows = []
    for run in runs:
        for place in range(speakers):
            group = "fm"[place % 2]
            shift = gap * (group == "f") * (1 if conditions is None else conditions[run][1])
            for emotion in EMOTIONS:
                for clip in range(5):
                    right = rng.random() < 0.5 + shift
                    rows.append((run, f"s{place}", group, f"{place}{emotion}{clip}", emotion, right))
    table = pd.DataFrame(rows, columns=["run_id", "speaker", "gender", "clip", "true", "right"])
    table["predicted"] = np.where(table["right"], table["true"], "none")
    if conditions is not None:
        table["arch"] = table["run_id"].map({run: name for run, (name, _) in conditions.items()})
    return table


def score(table, metric):
    correct = (table["true"] == table["predicted"]).astype(float)
    return correct.groupby(table["true"]).mean().mean() if metric == "uar" else correct.mean()


@pytest.mark.parametrize("metric", ["uar", "accuracy"])
def test_gap_is_the_difference_of_group_scores(metric):
    table = make_predictions(gap=0.2).sample(frac=0.9, random_state=1)
    report = groups.compare_groups(tallies.tally_predictions(table, "gender", metric), "gender", metric)
    (gap,) = report.within
    assert (gap.group_a, gap.group_b, gap.n_speakers_a, gap.n_speakers_b, gap.n_runs) == ("f", "m", 3, 3, 2)
    for run, value in gap.per_run.items():
        own = table[table["run_id"] == run]
        want = score(own[own["gender"] == "f"], metric) - score(own[own["gender"] == "m"], metric)
        assert value == pytest.approx(want)
    assert gap.estimate == pytest.approx(np.mean(list(gap.per_run.values())))
    assert gap.estimate == pytest.approx(gap.score_a - gap.score_b)
    assert gap.ci[0] < gap.estimate < gap.ci[1]
    assert "3 and 3 speakers: the permutation cannot reach .05" in gap.notes
    json.dumps(report.describe(), allow_nan=False)


def test_permutation_is_exact():
    rng = np.random.default_rng(4)
    values, names = rng.normal(size=8), np.array(list("fffmmmmm"))
    table = pd.DataFrame({"speaker": [f"s{i}" for i in range(8)], "gender": names, "y": values, "run_id": "r"})
    (gap,) = groups.compare_groups(tallies.tally_scores(table, "y", "gender"), "gender", "y").within
    observed = values[:3].mean() - values[3:].mean()
    every = []
    for chosen in combinations(range(8), 3):
        rest = np.setdiff1d(range(8), chosen)
        every.append(values[list(chosen)].mean() - values[rest].mean())
    assert gap.exact
    assert gap.n_permutations == 56
    assert gap.p == pytest.approx((np.abs(every) >= abs(observed) - 1e-12).mean())
    assert gap.smallest_p == 1 / 56
    assert gap.estimate == pytest.approx(observed)


def test_exchanging_groups_changes_the_sign_only():
    table = make_predictions(gap=0.3, speakers=8)
    swapped = table.assign(gender=table["gender"].map({"f": "m", "m": "f"}))
    (one,), (two,) = (
        groups.compare_groups(tallies.tally_predictions(part, "gender"), "gender", "uar").within
        for part in (table, swapped.sample(frac=1, random_state=2))
    )
    assert one.estimate == pytest.approx(-two.estimate)
    assert one.p == two.p
    assert one.estimate > 0
    assert one.p == pytest.approx(one.smallest_p) == 2 / 70
    assert one.ci[0] > 0


def test_more_runs_are_not_more_speakers():
    # The same speakers in fifty runs: p stays where the speakers leave it.
    few = make_predictions(speakers=6, gap=0.3, runs=("r0",))
    many = make_predictions(speakers=6, gap=0.3, runs=tuple(f"r{i}" for i in range(50)))
    for table in (few, many):
        (gap,) = groups.compare_groups(tallies.tally_predictions(table, "gender"), "gender", "uar").within
        assert gap.p >= 0.1
    assert gap.n_runs == 50


def test_gap_between_conditions():
    conditions = {f"r{i}": (("a", 1.0) if i < 4 else ("b", 0.0)) for i in range(8)}
    table = make_predictions(speakers=12, runs=tuple(conditions), gap=0.4, conditions=conditions)
    report = groups.compare_groups(
        tallies.tally_predictions(table, "gender", condition="arch"), "gender", "uar", draws=1000
    )
    a, b = report.within
    (difference,) = report.between
    assert (difference.condition, difference.versus, difference.n_runs) == ("a", "b", 8)
    assert difference.estimate == pytest.approx(a.estimate - b.estimate)
    assert difference.ci[0] < difference.estimate < difference.ci[1]
    assert difference.p < 0.05
    assert a.p_adjusted == pytest.approx(min(1, 2 * a.p))


def test_many_speakers_are_sampled():
    table = make_predictions(speakers=40, runs=("r0",))
    (gap,) = groups.compare_groups(tallies.tally_predictions(table, "gender"), "gender", "uar", draws=500).within
    assert not gap.exact
    assert gap.n_permutations == 9999
    assert 0 < gap.p <= 1
    assert "one run" in gap.notes[-1]


def test_permutations_keep_strata():
    in_a = np.array([True, False, True, False, True])
    strata = np.array([0, 0, 1, 1, 1])
    labels, exact, smallest = groups.permute_labels(in_a, strata, np.random.default_rng(0))
    assert exact
    assert len({tuple(row) for row in labels}) == len(labels) == 6
    assert (labels[:, :2].sum(1) == 1).all()
    assert (labels[:, 2:].sum(1) == 2).all()
    assert smallest == 1 / 6


def test_false_positives_stay_near_the_level():
    # No gap, but speakers differ: testing over runs or rows would reject nearly always.
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        speakers = rng.normal(0, 1, 10)
        table = pd.DataFrame(
            {
                "speaker": np.tile([f"s{i}" for i in range(10)], 5),
                "gender": np.tile(list("fm") * 5, 5),
                "run_id": np.repeat(range(5), 10),
                "y": np.tile(speakers, 5) + rng.normal(0, 0.1, 50),
            }
        )
        gap = groups.measure_gap(tallies.tally_scores(table, "y", "gender"), {"all runs": 1}, ("f", "m"), draws=10)
        hits += gap.p < 0.05
    assert hits <= 12


def test_what_is_missing_is_said():
    table = make_predictions()
    table.loc[table["speaker"] == "s0", "gender"] = None
    report = groups.compare_groups(tallies.tally_predictions(table, "gender"), "gender", "uar", draws=50)
    assert report.notes == ("30 rows without gender are left out",)
    men = make_predictions(conditions={"r0": ("a", 1), "r1": ("b", 1)})
    men = men[(men["arch"] == "a") | (men["gender"] == "m")]
    report = groups.compare_groups(
        tallies.tally_predictions(men, "gender", condition="arch"), "gender", "uar", draws=50
    )
    assert [gap.condition for gap in report.within] == ["a"]
    assert "no speaker of f in b" in report.notes[0]
    with pytest.raises(InputError, match="one value"):
        groups.compare_groups(tallies.tally_predictions(men[men["gender"] == "m"], "gender"), "gender", "uar")
    with pytest.raises(InputError, match="several groups"):
        tallies.tally_predictions(men.assign(speaker="x"), "gender")
    with pytest.raises(InputError, match="no column age"):
        tallies.tally_predictions(men, "age")


# ---- baseline

SAMPLES = {
    "base": np.array([0.61, 0.63, 0.60, 0.64, 0.62]),
    "cnn": np.array([0.60, 0.62, 0.61, 0.63]),
    "hubert": np.array([0.66, 0.70, 0.67, 0.69, 0.65, 0.71]),
}


@pytest.mark.filterwarnings("ignore:Computation of the confidence interval")
def test_dunnett_equals_scipy():
    # scipy's intervals are good to some 5e-4 here, and it says so.
    report = baseline.compare_baseline(SAMPLES, "base")
    want = stats.dunnett(SAMPLES["cnn"], SAMPLES["hubert"], control=SAMPLES["base"], rng=np.random.default_rng(0))
    for place, got in enumerate(report.tests):
        assert got.stat == pytest.approx(want.statistic[place])
        assert got.p_adjusted == pytest.approx(want.pvalue[place], abs=2e-3)
        interval = want.confidence_interval(0.95)
        assert got.ci == pytest.approx((interval.low[place], interval.high[place]), abs=1e-3)
        assert np.sign(got.stat) == np.sign(got.estimate)
        assert got.p <= got.p_adjusted
    assert report.tests[1].contrast == "hubert - base"


def test_one_level_is_a_t_test():
    (got,) = baseline.compare_baseline({"a": SAMPLES["cnn"], "b": SAMPLES["base"]}, "b").tests
    want = stats.ttest_ind(SAMPLES["cnn"], SAMPLES["base"])
    assert (got.stat, got.p_adjusted) == pytest.approx((want.statistic, want.pvalue))


def test_mann_whitney_by_hand():
    report = baseline.compare_baseline(SAMPLES, "base", "mann-whitney")
    assert "ignores shared seeds" in report.notes[0]
    hubert = report.tests[1]
    # Every run of hubert beats every run of the baseline: 2 of C(11, 5) orders are as extreme.
    assert hubert.stat == 30
    assert hubert.probability == 1
    assert hubert.p == pytest.approx(2 / 462)
    assert hubert.p_greater == pytest.approx(1 / 462)
    assert hubert.p_adjusted == pytest.approx(2 * hubert.p)
    json.dumps(report.describe(), allow_nan=False)


def test_baseline_refuses_what_it_cannot_test():
    with pytest.raises(InputError, match="no baseline"):
        baseline.compare_baseline(SAMPLES, "whisper")
    with pytest.raises(InputError, match="one run per level"):
        baseline.compare_baseline({"a": [0.1], "b": [0.2]}, "b")
    with pytest.raises(InputError, match="unknown method"):
        baseline.compare_baseline(SAMPLES, "base", "anova")
    constant = baseline.compare_baseline({"a": [0.1, 0.1], "b": [0.2, 0.2]}, "b")
    assert "no test" in constant.notes[-1]
    assert np.isnan(constant.tests[0].p)
