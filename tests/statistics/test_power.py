"""Minimal detectable effects, power by simulation, and what sweeps tell of their own chance."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from reference_tools import close, read_expected
from scipy import stats
from sweep_tools import write_sweep

from ser.errors import InputError
from ser.statistics import power
from ser.statistics.components import estimate_components
from ser.statistics.design import describe_design
from ser.statistics.fitting import fit_model
from ser.statistics.means import contrast_pairs
from ser.statistics.plan import make_plan
from ser.statistics.power import Components
from ser.statistics.settings import Settings
from ser.statistics.sources import Job, Source
from ser.statistics.tables import read_runs, tabulate_source

#: Points: run 1.5, speaker x condition 4, and 40 clips a speaker of which four in five are recognised.
SEEN = Components(run=1.5, speaker_condition=4.0, residual=6.4)


def test_single_tests_agree_with_r():
    want = read_expected("multiplicity_power")
    two, paired, groups, linear = want["t_two_sample"], want["t_paired"], want["anova_f"], want["factorial_f2"]
    pairs = [
        (power.find_n(0.5), two["n_for_power80_d05"]),
        (power.power_t(10, 0.8), two["power_n10_d08"]),
        (power.find_mde_t(5), two["mde_n5"]),
        (power.power_t(5, 1, paired=True), paired["power_n5_d1"]),
        (power.find_mde_t(10, paired=True), paired["mde_n10"]),
        (power.find_n_anova(groups["k"], groups["f"]), groups["n_per_group_power80"]),
        (power.power_f(3, 36, groups["f"] ** 2 * 40), groups["power_n10"]),
        (power.power_f(linear["u"], linear["v"], linear["f2"] * 100), linear["power"]),
        (power.find_mde_f2(linear["u"], linear["v"]), linear["mde_f2_power80"]),
    ]
    assert all(close(found, expected, 1e-4) for found, expected in pairs), pairs


@pytest.mark.parametrize(
    ("speakers", "seeds", "mde"),
    [(6, 5, 9.2), (10, 3, 8.5), (10, 5, 7.1), (10, 10, 6.3), (10, 110, 5.7), (24, 5, 5.0), (91, 5, 3.6)],
)
def test_speakers_buy_more_than_seeds(speakers, seeds, mde):
    assert round(power.find_mde(*power.plan_contrast(SEEN, speakers, seeds)), 1) == mde


def test_seeds_alone_detect_multiples_of_their_own_spread():
    found = [round(power.find_mde_t(n), 2) for n in (3, 5, 10, 20, 30, 110)]
    assert found == [3.07, 2.02, 1.32, 0.91, 0.74, 0.38]
    se, df = power.plan_contrast(Components(run=1.0), 0, 5)
    assert np.isclose(se, np.sqrt(0.4)) and df == 8
    assert np.isclose(power.simulate_power(Components(run=2.0), 0, 5, 4.0), power.power_t(5, 2.0))
    table = power.tabulate_plan(Components(run=2.0), [0], [5], effect=4.0)
    assert close(table["mde"][0] / 2, read_expected("multiplicity_power")["t_two_sample"]["mde_n5"], 1e-4)


def test_clips_make_the_residual():
    assert np.isclose(100 * power.find_residual(0.8, 40), 6.3246, atol=1e-4)


def test_the_simulated_test_is_that_of_whole_cells():
    """Cells are drawn and analysed one experiment at a time; mean squares drawn at once must reject as often."""
    S, R, N = 8, 4, 3000
    rng = np.random.default_rng(0)
    sizes = {"run": (2, R, 1), "speaker_condition": (2, 1, S), "residual": (2, R, S)}
    y = sum(rng.normal(0, getattr(SEEN, name), (N, *size)) for name, size in sizes.items()) + rng.normal(
        0, 9, (N, 1, 1, S)
    )
    df = np.array([2 * (R - 1), S - 1, 2 * (R - 1) * (S - 1)], dtype=float)
    for effect in (0.0, 8.0):
        shifted = y + np.array([0, effect])[:, None, None]
        means, runs, reacting = shifted.mean((2, 3)), shifted.mean(3), shifted.mean(2)
        squares = np.stack(
            [
                S * ((runs - means[..., None]) ** 2).sum((1, 2)),
                R
                * (
                    (reacting - means[..., None] - reacting.mean(1, keepdims=True) + means.mean(1)[:, None, None]) ** 2
                ).sum((1, 2)),
                ((shifted - runs[..., None] - reacting[:, :, None] + means[..., None, None]) ** 2).sum((1, 2, 3)),
            ],
            axis=1,
        )
        variance, freedom = power.combine_squares(squares / df, df)
        t = (means[:, 1] - means[:, 0]) / np.sqrt(2 * variance / (R * S))
        share = (2 * stats.t.sf(np.abs(t), freedom) < 0.05).mean()
        assert abs(share - power.simulate_power(SEEN, S, R, effect)) < 0.035


@pytest.mark.parametrize(
    "components",
    [
        SEEN,
        Components(run=3.0, residual=5.0),
        Components(run=0.0, speaker_condition=4.0, residual=5.0),
        Components(run=0.0, residual=5.0),
    ],
)
@pytest.mark.parametrize(("speakers", "seeds"), [(6, 5), (24, 3)])
def test_without_an_effect_few_experiments_find_one(components, speakers, seeds):
    assert 0.01 < power.simulate_power(components, speakers, seeds, 0.0) < 0.06


def test_power_rises_with_all_that_it_should():
    found = [power.simulate_power(SEEN, 10, 5, effect) for effect in (0, 3, 6, 12)]
    assert found == sorted(found) and found[-1] > 0.95
    assert power.simulate_power(SEEN, 24, 5, 5) > power.simulate_power(SEEN, 10, 5, 5)
    assert power.simulate_power(SEEN, 10, 10, 5) > power.simulate_power(SEEN, 10, 3, 5)


def test_what_an_effect_needs_is_the_least_that_is_enough():
    seeds = power.find_seeds(SEEN, 24, 5.0)
    assert power.simulate_power(SEEN, 24, seeds, 5.0) >= 0.8 > power.simulate_power(SEEN, 24, seeds - 1, 5.0)
    assert power.find_seeds(SEEN, 10, 5.0) is None, "no number of seeds makes up for ten speakers"
    assert 20 < power.find_speakers(SEEN, 5, 5.0) < 30
    assert power.find_speakers(SEEN, 3, 2.0) is None, "no number of speakers makes up for three seeds"


def test_one_model_a_condition_is_a_t_test_over_speakers():
    once = Components(run=0.0, speaker_condition=5.0)
    assert power.plan_contrast(once, 10, 1) == (np.sqrt(5.0), 9)
    assert abs(power.simulate_power(once, 10, 1, 6.0) - power.power_t(10, 6 / np.sqrt(50), paired=True)) < 0.015


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Components(run=-1.0), "run=-1.0"),
        (lambda: Components(run=0.0), "nothing varies"),
        (lambda: power.plan_contrast(SEEN, 1, 5), "speakers=1"),
        (lambda: power.plan_contrast(SEEN, 10, 1), "seeds=1"),
        (lambda: power.plan_contrast(Components(run=0.0, residual=1.0), 0, 5), "seeds alone"),
    ],
)
def test_impossible_plans_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_a_plan_tells_the_table_and_what_is_needed():
    plan = make_plan(SEEN, 5.0, speakers=[10, 24], seeds=[3, 5])
    assert plan.table.columns.tolist() == ["speakers", "seeds", "se", "df", "mde", "power", "enough"]
    assert plan.seeds_needed[10] is None and plan.seeds_needed[24] >= 5
    told = json.loads(json.dumps(plan.describe()))
    assert told["components"]["split"] is None and told["seeds_needed"]["10"] is None
    assert "with 10 speakers: no number of seeds is enough" in plan.explain()
    fixed = make_plan(Components(run=1.0), 2.0, speakers=[0], seeds=[5])
    assert "on fixed test speakers: 6 seeds a condition" in fixed.explain() and not fixed.speakers_needed


# ---- components of sweeps


def test_components_that_were_planted_are_found(tmp_path):
    grid = {"head": ["a", "b", "c", "d"], "seed": range(12)}
    folder = write_sweep(tmp_path / "s", grid, {"emodb": 24}, spread=(0.04, 0.08), clips=40)
    found = estimate_components(describe_design(read_runs(folder)))
    binomial = power.find_residual(0.6, 40)
    assert abs(found.run - 0.04) < 0.012 and abs(found.speaker_condition - 0.08) < 0.015
    assert abs(found.residual - binomial) < 0.008 and found.speaker < 0.05
    assert found.initialisation == found.run and np.isnan(found.split)


def test_split_and_initialisation_are_told_apart(tmp_path):
    rng = np.random.default_rng(3)
    splits = dict(zip(map(str, range(12)), rng.normal(0, 0.1, 12), strict=True))
    grid = {"split.seed": range(12), "seed": range(6)}
    folder = write_sweep(
        tmp_path / "s",
        grid,
        {"a": 6},
        spread=(0.03, 0),
        effect=lambda values, _: splits[values["split.seed"]],
        clips=80,
    )
    planted = np.std(list(splits.values()), ddof=1)
    for rows in ("runs", "cells"):
        found = estimate_components(describe_design(read_runs(folder), rows=rows))
        assert abs(found.split - planted) < 0.02, rows
        assert abs(found.initialisation - 0.03) < 0.02, rows
        assert np.isclose(found.run, np.hypot(found.split, found.initialisation))


def make_folds(seeds, speakers=10, folds=5):
    """A design of two heads by k-fold: every run has a model a fold, every model is tested on some speakers."""
    answers = pd.DataFrame({"speaker": [f"{one:02d}" for one in range(speakers)], "true": "joy", "predicted": "joy"})
    answers = answers.assign(
        evaluation="test", clip=answers["speaker"], fold=[str(one % folds) for one in range(speakers)]
    )
    jobs = [
        Job(number, "finished", run_id=f"{head}{seed}", values={"head": head, "seed": str(seed)},
            metrics={"test/uar": number / 1000}, load=lambda: answers)
        for number, (head, seed) in enumerate(product("ab", range(seeds)))
    ]  # fmt: skip
    return describe_design(tabulate_source(Source("folds", tuple(jobs), ("head", "seed"))), rows="cells")


def draw_scores(design, spreads, rng):
    """Scores of a design from planted standard deviations of groups and of single cells."""
    scores = 0.6 + rng.normal(0, spreads["residual"], len(design.frame))
    for group, spread in spreads.items():
        if group != "residual":
            codes = design.frame.groupby(group.split(":")).ngroup()
            scores = scores + rng.normal(0, spread, codes.max() + 1)[codes]
    return replace(design, frame=design.frame.assign(**{design.response: scores}))


def test_models_of_a_run_and_whole_runs_are_told_apart():
    """By k-fold a run is scored by several models, so that what tells them apart counts by its mean."""
    planted = {"run_id": 0.15, "model": 0.10, "speaker": 0.05, "speaker:head": 0.04, "residual": 0.06}
    design = make_folds(seeds=40)
    assert design.random == (("speaker",), ("speaker", "head"), ("model",), ("run_id",))
    found = estimate_components(draw_scores(design, planted, np.random.default_rng(1)))
    assert abs(found.run - np.hypot(0.15, 0.10 / np.sqrt(5))) < 0.02
    assert abs(found.speaker_condition - 0.04) < 0.02 and abs(found.residual - 0.06) < 0.005
    assert found.initialisation == found.run and not found.notes
    alone = estimate_components(draw_scores(design, {**planted, "run_id": 0.0}, np.random.default_rng(1)))
    assert abs(alone.run - 0.10 / np.sqrt(5)) < 0.02


def test_what_folds_detect_is_what_their_model_says():
    planted = {"run_id": 0.05, "model": 0.10, "speaker": 0.05, "speaker:head": 0.08, "residual": 0.06}
    design = draw_scores(make_folds(seeds=5), planted, np.random.default_rng(2))
    (row,) = contrast_pairs(fit_model(design, Settings()), "head")
    se, df = power.plan_contrast(estimate_components(design), 10, 5)
    assert np.isclose(se, row["se"], rtol=1e-2) and np.isclose(
        power.find_mde(se, df), power.find_mde(row["se"], row["df"]), rtol=3e-2
    )


def test_one_run_a_condition_by_folds_tells_only_its_models_apart():
    design = make_folds(seeds=1)
    assert ("model",) in design.random and ("run_id",) not in design.random
    spreads = {"model": 0.10, "speaker": 0.05, "residual": 0.03}
    found = estimate_components(draw_scores(design, spreads, np.random.default_rng(3)))
    assert abs(found.run - 0.10 / np.sqrt(5)) < 0.03 and any(
        "models of its folds apart" in note for note in found.notes
    )


def test_one_run_a_condition_tells_nothing_of_training_again(tmp_path):
    folder = write_sweep(tmp_path / "s", {"head": ["a", "b"]}, {"emodb": 10}, folds="loso", spread=(0, 0.1), clips=40)
    found = estimate_components(describe_design(read_runs(folder)))
    assert found.run == found.residual == 0 and found.speaker_condition > 0.05 and len(found.notes) == 2
    plan = make_plan(found, 0.1, speakers=[10], seeds=[1, 5])
    assert plan.table["seeds"].tolist() == [1], "seeds buy nothing here"
    with pytest.raises(InputError, match="each condition was scored once"):
        estimate_components(describe_design(read_runs(folder), rows="runs"))
