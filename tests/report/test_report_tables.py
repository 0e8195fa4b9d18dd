"""The CSV files beside the page, and the names in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ser.report import write_report
from ser.report.naming import describe_choice, label_jobs, name_files


@pytest.fixture(scope="module")
def tables(sample):
    write_report(sample)
    return sample / "report"


def test_runs_csv_has_every_job(tables):
    runs = pd.read_csv(tables / "runs.csv")
    assert list(runs["job"]) == list(range(12))
    assert runs["uar"].isna().tolist() == [False] * 10 + [True] * 2
    assert runs.loc[10, "reason"] == "RuntimeError: <out of memory> & gone"
    assert set(runs["chance"].dropna()) == {0.25}


def test_configurations_csv_aggregates_runs_csv(tables):
    runs = pd.read_csv(tables / "runs.csv")
    configurations = pd.read_csv(tables / "configurations.csv").set_index("configuration")
    again = runs.groupby("configuration")["uar"].agg(["mean", "std", "min", "max", "count"])
    assert configurations["uar_mean"].is_monotonic_decreasing
    for ours, theirs in zip(("uar_mean", "uar_sd", "uar_min", "uar_max", "n"), again.columns, strict=True):
        np.testing.assert_allclose(configurations[ours].sort_index(), again[theirs].sort_index())


def test_confusion_rows_are_true(tmp_path, build):
    predictions = build("predictions", 1, 1.0, ("anger", "sadness"), clips=10)
    predictions.loc[predictions["true"] == "anger", "predicted"] = "sadness"  # all anger is taken for sadness
    build("run", tmp_path, predictions)
    page = write_report(tmp_path).read_text()
    counts = pd.read_csv(next((tmp_path / "report").glob("confusion_*svm.csv")), index_col="true")
    assert counts.loc["anger", "sadness"] == 30
    assert counts.loc["sadness", "anger"] == 0
    assert 'title="true anger, predicted sadness: 30.0 clips a run">100<' in page


def test_confusions_are_means_over_runs(sample, tables):
    parts = [pd.read_parquet(sample / str(job) / "predictions.parquet") for job in (3, 4, 5)]
    crosses = [pd.crosstab(part["true"], part["predicted"]) for part in parts]
    counts = pd.read_csv(tables / "confusion_egemaps_svm.csv", index_col="true")
    shares = pd.read_csv(tables / "confusion_egemaps_svm_share.csv", index_col="true")
    np.testing.assert_allclose(counts, sum(crosses) / 3)
    np.testing.assert_allclose(shares, sum(cross.div(cross.sum(axis=1), axis=0) for cross in crosses) / 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_absent_class_is_averaged_over_the_runs_that_have_it(tmp_path, build):
    build("run", tmp_path / "0", build("predictions", 1, 1.0))
    build("run", tmp_path / "1", build("predictions", 2, 1.0, ("anger", "fear")))
    jobs = [build("job", job, {"seed": str(job)}) for job in (0, 1)]
    write_report(build("sweep", tmp_path, jobs, ["seed"]))
    shares = pd.read_csv(next((tmp_path / "report").glob("*_share.csv")), index_col="true")
    assert np.diag(shares).tolist() == [1.0] * 5


def test_old_confusions_are_removed(tmp_path, build):
    build("run", tmp_path, build("predictions", 1, 0.8))
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "confusion_of_yesterday.csv").write_text("old")
    write_report(tmp_path)
    assert not (tmp_path / "report" / "confusion_of_yesterday.csv").exists()


def test_values_stand_alone_only_where_they_say_what_they_are():
    varied = ["backbone", "head.C", "data.train", "data.test", "seed"]
    job = {"backbone": "egemaps", "head.C": "0.1", "data.train": "emodb", "data.test": "emovo", "seed": "1"}
    other = {**job, "data.train": "emovo"}
    names = label_jobs([job, other], varied, "all")
    assert names[0] == ("egemaps · head.C=0.1 · data.train=emodb · data.test=emovo", "seed=1")
    assert label_jobs([{"seed": "1"}], ["seed"], "all") == [("all", "seed=1")]


def test_file_names_are_portable_and_distinct():
    assert name_files(["a/b · c", "a_b_c", "A_b_c", "…"]) == {
        "a/b · c": "a_b_c",
        "a_b_c": "a_b_c_2",
        "A_b_c": "A_b_c_3",
        "…": "configuration",
    }


def test_choices_are_described_by_name_and_settings():
    split = {"_target_": "ser.split.LeaveOneGroupOut", "group": "speaker", "allow_overlap": False, "fold": None}
    settings = "(group=speaker, allow_overlap=false)"
    assert describe_choice({"split": split}, "split") == f"LeaveOneGroupOut {settings}"
    assert describe_choice({"split": split, "choices": {"split": "loso"}}, "split") == f"loso {settings}"
    assert describe_choice({}, "split") == ""
