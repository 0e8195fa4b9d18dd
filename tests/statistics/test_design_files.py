"""Designs of tables that no sweep wrote."""

import numpy as np
import pandas as pd
import pytest
from reference_tools import find_folder

from ser.errors import InputError
from ser.statistics.choose import check_method, choose_method
from ser.statistics.describe import explain
from ser.statistics.design import describe_design
from ser.statistics.tidy import read_tidy, read_wide


def read(path, response, factors, random=(), within=()):
    table = read_tidy(path, response, factors, random, within)
    return describe_design(table, random=random, within=within)


def write(tmp_path, frame):
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def kinds(design, severity=None):
    return {own.kind for own in design.findings if severity in (None, own.severity)}


def make_runs(rng, repeats=4, sets=("x", "y"), archs=("a", "b")):
    rows = [
        {"arch": arch, "test_set": name, "seed": f"s{seed}", "run": f"{arch}{seed}", "uar": rng.normal(0.6, 0.02)}
        for arch in archs
        for seed in range(repeats)
        for name in sets
    ]
    return pd.DataFrame(rows)


def test_a_split_plot_is_recognised_without_being_told(tmp_path):
    design = read(find_folder("data", "runs_split_plot.csv"), "uar", ["arch", "pft", "test_set"])
    assert design.unit == "run" and design.within == ("test_set",) and design.random == (("run",),)
    assert design.n_units == 32 and choose_method(design).method == "mixed"
    with pytest.raises(InputError, match=r"test_set varies within run \(repeated measures\)"):
        check_method(design, "anova")


def test_a_test_set_within_seeds_needs_a_word(tmp_path):
    frame = make_runs(np.random.default_rng(0)).drop(columns="run")
    path = write(tmp_path, frame)
    assert "within_unknown" in kinds(read(path, "uar", ["arch", "test_set"]), "warn")
    design = read(path, "uar", ["arch", "test_set"], within=["test_set"])
    assert design.within == ("test_set",) and design.n_units == 8 and design.random == (("unit",),)
    assert "within_unknown" not in kinds(design)


def test_independent_runs_are_an_analysis_of_variance(tmp_path):
    for name, factors in (
        ("runs_balanced", ["arch", "pft", "aug", "dataset"]),
        ("runs_unbalanced", ["arch", "pft", "aug"]),
    ):
        design = read(find_folder("data", f"{name}.csv"), "uar", factors)
        assert choose_method(design).method == "anova" and design.balanced == (name == "runs_balanced")
        check_method(design, "anova")
    block = read(find_folder("data", "runs_balanced.csv"), "uar", factors, ["seed"])
    assert choose_method(block).method == "mixed" and block.random == (("seed",),)
    check_method(block, "anova")


def test_empty_cells_are_named():
    design = read(find_folder("data", "runs_missing_cell.csv"), "uar", ["arch", "pft"])
    assert design.empty_cells == [{"arch": "cnn", "pft": "ital"}] and "arch=cnn, pft=ital" in explain(design)


def test_utterances_are_no_independent_rows():
    path = find_folder("data", "utterances.csv")
    design = read(path, "correct", ["arch", "pft"])
    assert {("run",), ("speaker",), ("utterance",), ("speaker", "arch")} <= set(design.random) and design.n_units == 12
    with pytest.raises(InputError, match="not independent; rows share run"):
        check_method(design, "anova")
    short = read(path, "correct", ["arch", "pft"], ["speaker"])
    left_out = [own.words for own in short.findings if own.kind == "pseudo_replication"]
    assert len(left_out) == 2 and "996 rows come from 12 values of run" in left_out[0]
    forgotten = read(path, "correct", ["arch"], ["speaker", "run", "utterance"])
    assert "pft has 2 values and is in neither" in explain(forgotten)


def test_one_level_no_variance_and_unknown_columns(tmp_path):
    frame = make_runs(np.random.default_rng(0)).assign(aug="none")
    design = read(write(tmp_path, frame), "uar", ["arch", "aug"])
    assert list(design.factors) == ["arch"] and "aug is none everywhere" in explain(design)
    flat = read(write(tmp_path, frame.assign(uar=0.5)), "uar", ["arch"])
    assert choose_method(flat).method == "none" and "every uar is 0.5" in choose_method(flat).reason
    alone = read(write(tmp_path, frame.drop(columns=["run", "test_set", "seed"])), "uar", ["aug"])
    assert "no_factor" in kinds(alone, "warn") and choose_method(alone).method == "describe"
    with pytest.raises(InputError, match="no column 'size'"):
        describe_design(read_tidy(write(tmp_path, frame), "uar", ["arch"]), factors=["arch", "size"])


def test_conditions_that_do_not_vary_and_factors_that_go_together(tmp_path):
    frame = make_runs(np.random.default_rng(0), sets=("x",)).drop(columns=["run", "test_set"])
    frame.loc[frame["arch"] == "a", "uar"] = 0.5
    assert "constant_cells" in kinds(read(write(tmp_path, frame), "uar", ["arch"]), "warn")
    twins = frame.assign(weights=frame["arch"].map({"a": "small", "b": "large"}))
    words = [
        own.words for own in read(write(tmp_path, twins), "uar", ["arch", "weights"]).findings if own.kind == "aliased"
    ]
    assert words == ["each arch has one weights: their effects cannot be told apart; leave one of them out"]


def test_a_score_that_was_picked_on_the_test_set_is_flagged(tmp_path):
    frame = make_runs(np.random.default_rng(0)).rename(columns={"uar": "best_test_uar"})
    assert "selection" in kinds(read(write(tmp_path, frame), "best_test_uar", ["arch"], ["run"]), "warn")


def test_metrics_in_one_column_are_no_repeats(tmp_path):
    frame = make_runs(np.random.default_rng(0), sets=("x",)).drop(columns=["test_set", "run"])
    both = pd.concat([frame.assign(metric="uar"), frame.assign(metric="f1")])
    words = explain(read(write(tmp_path, both), "uar", ["arch"]))
    assert "metric has 2 values and is in neither factors nor random" in words


def test_rows_of_a_run_that_was_logged_twice_count_once(tmp_path):
    frame = make_runs(np.random.default_rng(0))
    design = read(write(tmp_path, pd.concat([frame, frame.iloc[:3]])), "uar", ["arch", "test_set"])
    assert len(design.frame) == len(frame) and "duplicates" in kinds(design, "warn")
    answers = pd.DataFrame(
        {"arch": list("aabb") * 9, "run": [f"r{i % 4}" for i in range(36)], "correct": [0, 1, 1] * 12}
    )
    kept = read(write(tmp_path, answers), "correct", ["arch"])
    assert len(kept.frame) == 36


def test_many_datasets_and_repeated_folds_have_methods_of_their_own():
    path = find_folder("data", "many_datasets.csv")
    models = [name for name in pd.read_csv(path).columns if name != "dataset"]
    assert choose_method(describe_design(read_wide(path, models))).method == "datasets"
    design = describe_design(read_wide(find_folder("data", "cv_scores.csv"), ["model_a", "model_b"]))
    assert choose_method(design).method == "resampled"


def test_renaming_levels_and_shuffling_rows_changes_no_role(tmp_path):
    path = find_folder("data", "runs_split_plot.csv")
    frame = pd.read_csv(path).sample(frac=1, random_state=0)
    frame["test_set"] = "0" + frame["test_set"].str.len().astype(str) + frame["test_set"]
    design = read(write(tmp_path, frame), "uar", ["arch", "pft", "test_set"])
    before = read(path, "uar", ["arch", "pft", "test_set"])
    assert (design.random, design.within, design.unit) == (before.random, before.within, before.unit)
    assert np.allclose(design.counts["mean"].sort_values(), before.counts["mean"].sort_values())


def test_an_unknown_method_is_refused(tmp_path):
    design = read(write(tmp_path, make_runs(np.random.default_rng(0))), "uar", ["arch"])
    with pytest.raises(InputError, match="auto, anova"):
        check_method(design, "magic")
