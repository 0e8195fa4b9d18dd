"""What a design is, what it invites, and which analysis it calls for."""

import json

import numpy as np
import pandas as pd
import pytest
from reference_tools import find_folder
from sweep_tools import read_record, write_sweep

from ser.errors import InputError
from ser.results import write_json
from ser.statistics.choose import check_method, choose_method
from ser.statistics.describe import describe, explain
from ser.statistics.design import describe_design
from ser.statistics.tables import read_runs
from ser.statistics.tidy import read_tidy, read_wide

GRID = {"head": ["mlp", "svm"], "backbone": ["a", "b"], "seed": [1, 2, 3]}


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


# ---- sweeps


def test_a_two_by_two_sweep_on_two_corpora_is_a_design_of_three_factors(tmp_path):
    design = describe_design(
        read_runs(write_sweep(tmp_path / "s", GRID, {"emodb": 4, "emovo": 3}, spread=(0.05, 0.05)))
    )
    assert list(design.factors) == ["head", "backbone", "test_corpus"]
    assert design.between == ("head", "backbone") and design.within == ("test_corpus",)
    assert design.rows == "cells" and design.unit == "model" and design.speaker == "speaker"
    assert (design.n_units, design.n_speakers, design.n_seeds) == (12, 7, 3)
    assert design.balanced and not design.empty_cells
    assert design.random == (
        ("speaker",),
        ("speaker", "head"),
        ("speaker", "backbone"),
        ("speaker", "head", "backbone"),
        ("model",),
        ("model", "test_corpus"),
    )
    choice = choose_method(design)
    assert choice.method == "mixed" and "7 speakers" in choice.reason
    runs = describe_design(read_runs(tmp_path / "s"), rows="runs")
    assert runs.unit == "run_id" and runs.within == ("test_corpus",) and runs.random == (("run_id",),)
    assert choose_method(runs).method == "mixed"


def test_under_leave_one_speaker_out_a_speaker_is_a_fold_and_no_further_term(tmp_path):
    design = describe_design(read_runs(write_sweep(tmp_path / "s", {"head": ["mlp", "svm"]}, folds="loso", seed=1)))
    assert design.random == (("speaker",),) and design.unit == "run_id" and design.n_seeds == 1
    assert {"shared_folds", "one_run", "few_speakers"} <= kinds(design)
    several = describe_design(
        read_runs(write_sweep(tmp_path / "t", {"head": ["mlp", "svm"], "seed": [1, 2, 3]}, folds="loso"))
    )
    assert several.random == (("speaker",), ("speaker", "head"), ("run_id",))


def test_models_trained_once_on_the_same_speakers_are_compared_in_pairs(tmp_path):
    design = describe_design(read_runs(write_sweep(tmp_path / "s", {"head": ["mlp", "svm"]}, seed=1)))
    choice = choose_method(design)
    assert choice.method == "paired" and "these trained models" in choice.reason and "one_run" in kinds(design, "warn")


def test_few_seeds_on_few_speakers_are_described_only(tmp_path):
    design = describe_design(read_runs(write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2]}, {"a": 4})))
    assert choose_method(design).method == "describe"


def test_many_seeds_on_few_speakers_are_an_analysis_of_runs(tmp_path):
    design = describe_design(read_runs(write_sweep(tmp_path / "s", GRID, {"a": 4}, spread=(0.1, 0))))
    assert design.rows == "runs" and choose_method(design).method == "anova" and "scope" in kinds(design)
    assert "seed_label" in kinds(design), "the same seed does not make runs of two conditions alike"


def test_shared_splits_are_blocks_and_seeds_are_not(tmp_path):
    grid = {"head": ["mlp", "svm"], "split.seed": [1, 2, 3], "seed": [1, 2]}
    design = describe_design(read_runs(write_sweep(tmp_path / "s", grid, {"a": 4}, spread=(0.1, 0))))
    assert design.blocks == ("split.seed",) and design.random == (("split.seed",),) and design.n_seeds == 6
    assert choose_method(design).method == "mixed"


def test_seeds_that_change_nothing_are_no_replicates(tmp_path):
    folder = write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2, 3]}, deterministic=["mlp", "svm"])
    design = describe_design(read_runs(folder))
    assert len(design.frame) == 2 * 6 and design.n_seeds == 1 and len(design.deterministic) == 2
    assert "exactly 0 in all conditions" in explain(design)
    some = describe_design(
        read_runs(
            write_sweep(
                tmp_path / "t", {"head": ["mlp", "svm"], "seed": [1, 2, 3]}, deterministic=["svm"], spread=(0.1, 0)
            )
        )
    )
    assert some.deterministic == ({"head": "svm"},) and some.frame.groupby("head")["run_id"].nunique().tolist() == [
        3,
        1,
    ]


def test_failures_that_gather_in_a_level_are_not_at_random(tmp_path):
    grid = {"head": ["mlp", "svm"], "seed": [1, 2, 3, 4, 5]}
    gathered = describe_design(read_runs(write_sweep(tmp_path / "s", grid, failed=[1, 2, 3])))
    words = next(own.words for own in gathered.findings if own.kind == "missing_not_at_random")
    assert "3 of 10 jobs have no results (3 failed)" in words and "3 of them with head=mlp, where 2 jobs" in words
    assert not gathered.balanced and gathered.n_seeds == 2
    spread = describe_design(read_runs(write_sweep(tmp_path / "t", grid, failed=[1, 7])))
    assert "missing" in kinds(spread) and "missing_not_at_random" not in kinds(spread)


def test_a_level_whose_jobs_all_failed_is_named(tmp_path):
    design = describe_design(
        read_runs(write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2, 3]}, failed=[3, 4, 5]))
    )
    assert "one_level" in kinds(design, "warn") and choose_method(design).method == "none"
    assert "head=svm" in explain(design) and "nothing to compare" in explain(design)


def test_a_search_is_no_experiment(tmp_path):
    design = describe_design(read_runs(write_sweep(tmp_path / "s", GRID, search="val/uar")))
    assert "searched" in kinds(design, "refuse") and choose_method(design).method == "none"
    with pytest.raises(InputError, match="proposed by a search"):
        check_method(design, "mixed")


def test_cells_without_every_emotion_are_compared_by_accuracy(tmp_path):
    folder = write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2, 3]})
    path = folder / "0" / "predictions.parquet"
    frame = pd.read_parquet(path)
    frame[~((frame["speaker"] == "02") & (frame["true"] == "joy"))].to_parquet(path)
    design = describe_design(read_runs(folder))
    assert design.response == "accuracy" and "response" in kinds(design)


def test_clips_of_one_name_in_two_corpora_or_twice_in_one_are_pointed_out(tmp_path):
    folder = write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2]}, {"a": 4, "b": 4})
    assert "shared_clips" in kinds(describe_design(read_runs(folder)))
    path = folder / "0" / "predictions.parquet"
    frame = pd.read_parquet(path)
    pd.concat([frame, frame.iloc[:2]]).to_parquet(path)
    design = describe_design(read_runs(folder))
    assert "2 clips are tested twice" in explain(design)


def test_a_repeated_job_is_told(tmp_path):
    folder = write_sweep(tmp_path / "s", GRID)
    record = read_record(folder)
    write_json(folder / "sweep.json", {**record, "jobs": [*record["jobs"], {**record["jobs"][0], "job": 99}]})
    assert "1 jobs repeat a run" in explain(describe_design(read_runs(folder)))


def test_the_description_is_json_and_words(tmp_path):
    design = describe_design(read_runs(write_sweep(tmp_path / "s", GRID, {"emodb": 4, "emovo": 3}, failed=[2])))
    told = json.loads(json.dumps(describe(design)))
    assert told["factors"][2] == {"name": "test_corpus", "levels": ["emodb", "emovo"], "kind": "within"}
    assert told["speakers"] == {"emodb": 4, "emovo": 3} and told["method"] == "mixed" and len(told["cells"]) == 8
    assert told["failures"][0]["state"] == "failed"
    words = explain(design)
    assert words.splitlines()[0].startswith("Design: 77 scores of trained models") and "Method: mixed, because" in words


def test_the_order_of_jobs_changes_nothing(tmp_path):
    folder = write_sweep(tmp_path / "s", GRID, {"emodb": 4, "emovo": 3})
    before = describe_design(read_runs(folder))
    record = read_record(folder)
    write_json(folder / "sweep.json", {**record, "jobs": record["jobs"][::-1]})
    after = describe_design(read_runs(folder))
    assert (after.random, after.factors, after.within) == (before.random, before.factors, before.within)
    pd.testing.assert_frame_equal(after.counts, before.counts)


# ---- tables of files


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
    assert "no_factor" in kinds(alone, "refuse")
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
