"""Runs, cells and predictions as statistics read them."""

import numpy as np
import pandas as pd
import pytest
from sweep_tools import make_predictions, read_record, write_run, write_sweep

from ser.errors import InputError
from ser.results import write_json
from ser.statistics.folder import read_folder
from ser.statistics.sources import Job, find_varied, tidy_value
from ser.statistics.tables import fill_failures, find_chance, read_runs
from ser.statistics.tidy import read_tidy, read_wide


def test_a_sweep_on_two_corpora_has_the_test_corpus_as_a_factor_and_the_seed_as_a_replicate(tmp_path):
    grid = {"head": ["mlp", "svm"], "backbone": ["a", "b"], "seed": [1, 2]}
    table = read_runs(write_sweep(tmp_path / "s", grid, {"emodb": 3, "emovo": 2}))
    assert table.factors == ("head", "backbone", "test_corpus") and table.replicates == ("seed",)
    assert len(table.runs) == 16 and table.runs["run_id"].nunique() == 8 and table.response == "uar"
    assert table.corpora == ["emodb", "emovo"]
    first = table.runs.iloc[0]
    assert first["head"] == "mlp" and first["n_speakers"] == 3 and first["status"] == "finished"
    assert set(table.cells["speaker"]) == {"emodb/00", "emodb/01", "emodb/02", "emovo/00", "emovo/01"}
    assert len(table.cells) == 8 * 5


def test_cells_are_those_of_the_predictions(tmp_path):
    table = read_runs(write_sweep(tmp_path / "s", {"head": ["mlp", "svm"]}, folds="loso"))
    cells, predictions = table.cells, table.predictions
    by_hand = predictions.groupby(["run_id", "fold", "speaker"])["correct"].agg(["size", "sum", "mean"]).reset_index()
    assert cells["n"].tolist() == by_hand["size"].tolist() and (cells["n_correct"] == by_hand["sum"]).all()
    assert np.allclose(cells["accuracy"], by_hand["mean"])
    assert np.allclose(cells["uar"], cells["accuracy"]), "every emotion has as many clips"
    assert (cells["model"] == cells["run_id"] + "/" + cells["fold"]).all() and cells["model"].is_unique
    assert cells["gender"].tolist() == ["female", "male"] * 6
    whole = cells.groupby("run_id")[["n_correct", "n"]].sum()
    assert np.allclose(whole["n_correct"] / whole["n"], table.runs.set_index("run_id")["wa"][whole.index])


def test_a_speaker_without_some_emotion_has_no_uar(tmp_path):
    folder = write_sweep(tmp_path / "s", {"head": ["mlp", "svm"]})
    path = folder / "0" / "predictions.parquet"
    frame = pd.read_parquet(path)
    frame[~((frame["speaker"] == "02") & (frame["true"] == "joy"))].to_parquet(path)
    cells = read_runs(folder).cells
    assert cells.loc[cells["uar"].isna(), ["run_id", "speaker"]].to_numpy().tolist() == [["run0", "02"]]


def test_models_of_two_folds_that_test_the_same_clips_are_two_models(tmp_path):
    table = read_runs(write_sweep(tmp_path / "s", {"head": ["mlp", "svm"]}, {"a": 2, "b": 3}, folds="all"))
    assert table.cells["model"].nunique() == 4 and len(table.cells) == 4 * 5 and len(table.folds) == 4 * 2


def test_a_dataset_that_decides_the_test_corpus_is_the_only_factor(tmp_path):
    jobs = []
    for number, (name, head) in enumerate([("emodb", "a"), ("emodb", "b"), ("emovo", "a"), ("emovo", "b")]):
        frame = make_predictions(np.random.default_rng(number), lambda speaker: 0.6, {name: 3})
        values = {"dataset": name, "head": head}
        jobs.append(write_run(tmp_path / str(number), number, values, frame, {name: 3}))
    write_json(tmp_path / "sweep.json", {"varied": ["dataset", "head"], "jobs": jobs})
    table = read_runs(tmp_path)
    assert table.factors == ("dataset", "head") and "one factor" in table.notes[0]
    assert set(table.cells["speaker"].str[:5]) == {"emodb", "emovo"}, "speaker 00 of one is not speaker 00 of the other"


def test_failed_and_unseen_jobs_are_listed_with_what_they_were_given(tmp_path):
    grid = {"head": ["mlp", "svm"], "seed": [1, 2, 3]}
    table = read_runs(write_sweep(tmp_path / "s", grid, failed=[1], unseen=[4, 5]))
    rows = table.failures[["state", "head", "seed"]].to_numpy().tolist()
    assert rows == [["failed", "mlp", "2"], ["missing", "svm", "2"], ["missing", "svm", "3"]]
    assert len(table.runs) == 3
    assert find_chance(table, "uar") == 0.25 and find_chance(table, "seconds") is None
    filled = fill_failures(table.runs, table, "uar")
    assert (
        len(filled) == 6
        and (filled["uar"].iloc[3:] == 0.25).all()
        and filled["head"].tolist()[3:] == ["mlp", "svm", "svm"]
    )
    cells = fill_failures(table.cells, table, "accuracy")
    assert len(cells) == 36 and cells["model"].nunique() == 6


def test_a_sweep_that_was_killed_before_it_was_summed_up_is_read_from_its_jobs(tmp_path):
    folder = write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2]})
    record = read_record(folder)
    for job in record["jobs"][:3]:
        write_json(folder / job["run_dir"] / "job.json", job)
    write_json(folder / "sweep.json", {**record, "jobs": []})
    table = read_runs(folder)
    assert len(table.runs) == 3 and table.failures["state"].tolist() == ["missing"]


def test_a_run_that_is_there_twice_counts_once(tmp_path):
    folder = write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2]})
    record = read_record(folder)
    again = {**record["jobs"][0], "job": 4, "state": "skipped"}
    write_json(folder / "sweep.json", {**record, "jobs": [*record["jobs"], again]})
    table = read_runs(folder)
    assert len(table.runs) == 4 and table.duplicates[["job", "duplicate_of"]].to_numpy().tolist() == [[4, 0]]


def test_runs_that_differ_in_no_parameter_are_pointed_out(tmp_path):
    folder = write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2]})
    record = read_record(folder)
    record["jobs"][1]["overrides"]["seed"] = "1"
    write_json(folder / "sweep.json", {**record, "arguments": []})
    assert "something that is no parameter differs" in read_runs(folder).notes[0]


def test_a_search_is_known_as_one(tmp_path):
    table = read_runs(write_sweep(tmp_path / "s", {"head": ["mlp", "svm"]}, search="val/uar"))
    assert table.searched


def test_any_metric_may_be_the_response(tmp_path):
    frame = make_predictions(np.random.default_rng(0), lambda speaker: 0.6, {"a": 3, "b": 3})
    jobs = [
        write_run(tmp_path / str(n), n, {"head": head}, frame, {"a": 3, "b": 3}, {"explain/faithfulness": 0.1 * n})
        for n, head in enumerate(["mlp", "svm", "mlp"])
    ]
    write_json(tmp_path / "sweep.json", {"varied": ["head"], "jobs": jobs})
    table = read_runs(tmp_path, response="explain/faithfulness")
    assert table.factors == ("head",) and len(table.runs) == 3, "it belongs to the run, not to a test corpus"
    assert read_runs(tmp_path, response="recall/joy").factors == ("head", "test_corpus")
    with pytest.raises(InputError, match=r"no run has this metric[\s\S]*explain/faithfulness"):
        read_runs(tmp_path, response="explain/faith")


def test_dimensions_have_concordance_in_runs_and_cells(tmp_path):
    rng = np.random.default_rng(0)
    base = make_predictions(rng, lambda speaker: 0.6, {"a": 3}).drop(columns=["true", "predicted"])
    jobs = []
    for number, head in enumerate(["ridge", "svr"]):
        sides = {
            f"{side}_{name}": rng.normal(size=len(base)) for side in ("true", "pred") for name in ("arousal", "valence")
        }
        folder = tmp_path / str(number)
        folder.mkdir()
        base.assign(**sides).to_parquet(folder / "predictions.parquet")
        write_json(folder / "metrics.json", {"test/ccc": 0.5, "test/ccc/arousal": 0.4, "test/ccc/arousal_ci_low": 0.1})
        (folder / "config.yaml").write_text("dataset: {name: a}")
        jobs.append({"job": number, "overrides": {"head": head}, "state": "finished", "run_id": head, "key": head})
    write_json(tmp_path / "sweep.json", {"varied": ["head"], "jobs": jobs})
    table = read_runs(tmp_path)
    assert table.response == "ccc" and table.runs["ccc/arousal"].tolist() == [0.4, 0.4]
    assert {"ccc", "mae", "ccc/arousal", "mae/valence"} <= set(table.cells) and len(table.cells) == 6
    one = table.cells.iloc[0]
    assert np.isclose(one["ccc"], (one["ccc/arousal"] + one["ccc/valence"]) / 2)


def test_what_lies_inside_a_choice_is_no_factor_of_its_own():
    configs = [
        {"head": "mlp", "head.size": "64", "pooling": "mean", "backbone": "a", "seed": "1", "head.seed": "1"},
        {"head": "svm", "head.C": "1", "pooling": "mean", "backbone": "a", "seed": "1", "head.seed": "1"},
        {"head": "mlp", "head.size": "64", "pooling": "max", "backbone": "b", "seed": "2", "head.seed": "2"},
        {"head": "svm", "head.C": "1", "pooling": "max", "backbone": "b", "seed": "1", "head.seed": "1"},
        {
            "head": "svm",
            "head.C": "10",
            "pooling": "max",
            "backbone": "b",
            "seed": "1",
            "head.seed": "1",
            "paths.cache": "x",
        },
    ]
    jobs = [Job(number, "finished", config=config) for number, config in enumerate(configs)]
    assert find_varied(jobs) == ("seed", "backbone", "head", "head.C")


@pytest.mark.parametrize(
    ("value", "tidy"),
    [
        (["emodb", "emovo"], "[emodb,emovo]"),
        ("['emodb', 'emovo']", "[emodb,emovo]"),
        (True, "true"),
        ("False", "false"),
        (None, "null"),
        (0.1, "0.1"),
    ],
)
def test_a_value_has_one_spelling(value, tidy):
    assert tidy_value(value) == tidy


def test_folders_that_are_no_sweep_are_refused(tmp_path):
    with pytest.raises(InputError, match="no sweep in it"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="no run has results"):
        read_runs(write_sweep(tmp_path / "s", {"head": ["mlp", "svm"]}, failed=[0, 1]))


def test_a_parent_run_and_an_experiment_give_the_same_runs_as_the_folder(tmp_path, tracking_uri):
    from ser.statistics.sources import flatten_config
    from ser.tracking.tracker import Tracker

    folder = write_sweep(tmp_path / "s", {"head": ["mlp", "svm"], "seed": [1, 2]}, {"emodb": 3, "emovo": 2}, failed=[3])
    tracker = Tracker(tracking_uri, "mine", str(tmp_path / "artifacts"))
    record = read_record(folder)
    parent = tracker.start("sweep", {}, {"ser.kind": "sweep", "ser.varied": "head seed"})
    for job, source in zip(record["jobs"], read_folder(folder).jobs, strict=True):
        tags = {"ser.key": job["key"] or "none", "mlflow.parentRunId": parent.run_id, "ser.run_dir": "/gone"}
        params = (
            flatten_config({})
            | dict(source.config)
            | {"head": job["overrides"]["head"], "seed": job["overrides"]["seed"]}
        )
        run = tracker.start("run", params, tags)
        if source.done:
            run.log_metrics(dict(source.metrics))
            run.log_folder(folder / job["run_dir"])
            job["run_id"] = run.run_id
        run.end(job["state"])
    write_json(folder / "sweep.json", record)
    tracker.connect().log_artifact(parent.run_id, str(folder / "sweep.json"))
    own = read_runs(folder)
    for name in (parent.run_id, "mine"):
        table = read_runs(name, tracker)
        assert set(table.factors) == set(own.factors) and table.replicates == own.replicates
        columns = ["run_id", "head", "seed", "test_corpus", "uar"]
        pd.testing.assert_frame_equal(table.runs[columns], own.runs[columns])
        assert table.failures[["state", "head", "seed"]].to_numpy().tolist() == [["failed", "svm", "2"]]
        assert table.cells["accuracy"].tolist() == own.cells["accuracy"].tolist()
    with pytest.raises(InputError, match="no run and no experiment of this name"):
        read_runs("nothing", tracker)


# ---- files


def test_names_stay_text_and_scores_become_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("speaker,arch,aug,uar,n\n01,a,none,0.5,10\n02,b,None,,12\n03,b,noise,0.7,11\n")
    table = read_tidy(tmp_path / "t.csv", "uar", ["arch", "aug"], ["speaker"])
    assert table.runs["speaker"].tolist() == ["01", "03"] and table.runs["aug"].tolist() == ["none", "noise"]
    assert table.runs["n"].tolist() == [10, 11] and "1 of 3 rows have no uar" in table.notes[0]
    path = tmp_path / "t.parquet"
    pd.DataFrame({"arch": [1, 2], "uar": [0.5, 0.6]}).to_parquet(path)
    assert read_tidy(path, "uar", ["arch"]).runs["arch"].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arch,uar\na,high\n", "'high' in row 1 is no number"),
        ("arch,score\na,1\n", r"no column 'uar'[\s\S]*arch, score"),
        ("arch,uar\n,0.5\na,0.6\n", "some rows have no arch"),
        ("arch,uar\na,\nb,\n", "none of 2 rows has a number"),
        ("arch,uar\n", "no rows"),
    ],
)
def test_files_that_cannot_be_analysed_say_why(text, words, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_tidy(tmp_path / "t.csv", "uar", ["arch"])


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match="no such file"):
        read_tidy("nowhere.csv", "uar")


def test_a_wide_file_becomes_long(tmp_path):
    (tmp_path / "t.csv").write_text("dataset,a,b\nd1,0.5,0.6\nd2,0.4,0.7\n")
    table = read_wide(tmp_path / "t.csv", ["a", "b"])
    assert table.factors == ("model", "dataset") and table.runs["score"].tolist() == [0.5, 0.4, 0.6, 0.7]
