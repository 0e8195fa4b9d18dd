"""What a design is, what it invites, and which analysis it calls for."""

import json

import pandas as pd
import pytest
from sweep_tools import read_record, write_sweep

from ser.errors import InputError
from ser.results import write_json
from ser.statistics.choose import check_method, choose_method
from ser.statistics.describe import describe, explain
from ser.statistics.design import describe_design
from ser.statistics.tables import read_runs

GRID = {"head": ["mlp", "svm"], "backbone": ["a", "b"], "seed": [1, 2, 3]}


def kinds(design, severity=None):
    return {own.kind for own in design.findings if severity in (None, own.severity)}


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
    assert "one_level" in kinds(design, "warn") and choose_method(design).method == "describe"
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
