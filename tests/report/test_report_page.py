"""The page as a reader gets it: its numbers, its links, its manners."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_tools import read_lead, read_page

from ser.errors import InputError
from ser.metrics import count_confusions, uar
from ser.report import write_report


def recompute(folder: Path) -> float:
    found = pd.read_parquet(folder / "predictions.parquet")
    emotions = sorted(found["true"].unique())
    return float(uar(count_confusions(list(found["true"]), list(found["predicted"]), emotions)))


def test_opening_sentence_counts_every_job_and_names_the_best(sample):
    page, _ = read_page(write_report(sample))
    scores = [recompute(sample / str(job)) for job in (3, 4, 5)]
    assert read_lead(page) == (
        "Of 12 runs, 10 finished (1 of them before this sweep), 1 failed and 1 was refused. "
        f"The best of 4 configurations, egemaps · svm, reached a mean UAR of {np.mean(scores):.3f} "
        f"({min(scores):.3f}–{max(scores):.3f} over 3 runs); chance is 0.250 (1/4)."
    )


def test_tables_show_what_predictions_give(sample):
    _, reader = read_page(write_report(sample))
    runs = {row[0]: row for row in reader.rows["runs"][1:13]}
    for job in range(10):
        assert runs[str(job)][4] == f"{recompute(sample / str(job)):.3f}"
    assert runs["1"][7] == "finished earlier"
    assert runs["10"][4:8] == ["–", "–", "–", "failed"]
    best = reader.rows["configurations"][1]
    scores = [recompute(sample / str(job)) for job in (3, 4, 5)]
    assert best[:5] == [
        "egemaps · svm",
        f"{np.mean(scores):.3f}",
        f"{np.std(scores, ddof=1):.3f}",
        f"{min(scores):.3f}–{max(scores):.3f}",
        "3",
    ]
    assert [row[4] for row in reader.rows["configurations"][1:]] == ["3", "3", "1 of 3", "3"]


def test_failed_and_refused_jobs_are_shown_with_their_reasons_escaped(sample):
    page, reader = read_page(write_report(sample))
    reasons = {row[0]: row[3] for row in reader.rows["runs"][14:]}
    assert reasons == {"10": "RuntimeError: <out of memory> & gone", "11": "LeakError: s01 is in train and test"}
    assert "<out of memory>" not in page


def test_page_needs_nothing_from_outside_and_links_to_run_folders(sample):
    page, reader = read_page(write_report(sample))
    assert "http" not in page
    assert not re.search(r"@import|<link|<img|<iframe|src=", page)
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", page))
    folders = [link for link in reader.links if not link.startswith("#")]
    assert folders == [f"{job}/" for job in range(10)]  # those of jobs 10 and 11 do not exist
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert {link[1:] for link in reader.links if link.startswith("#")} <= anchors


def test_notes_appear_once_with_counts(sample):
    page, _ = read_page(write_report(sample))
    assert page.count("Fold 2 has no clip of boredom.") == 1
    assert re.search(r"boredom\.\s*<span[^>]*>said by 10 of 10 runs", page)
    assert re.search(r"535 of 800 clips are here\.\s*<span[^>]*>said by 2 of 10 runs", page)
    assert "overlapping intervals are not a test (the statistics stage is)" in page


def test_each_run_has_its_command(sample):
    page, _ = read_page(write_report(sample))
    assert "ser train dataset=planted backbone=mel_cnn head=svm seed=3\n" in page.replace("</code>", "\n")
    assert "ser ui tracking.uri=sqlite:///outputs/mlflow.db" in page


def test_the_same_folder_gives_the_same_page(sample):
    first = write_report(sample).read_bytes()
    assert write_report(sample).read_bytes() == first


def test_a_sweep_in_which_all_failed_still_has_a_page(tmp_path, build):
    jobs = [build("job", job, {"backbone": "egemaps", "seed": str(job)}, "failed", "boom") for job in range(3)]
    page, reader = read_page(write_report(build("sweep", tmp_path, jobs, ["backbone", "seed"])))
    assert read_lead(page) == "Of 3 runs, none finished and 3 failed. There is no score to report."
    assert [row[3] for row in reader.rows["runs"][5:]] == ["boom"] * 3
    assert set(reader.rows) == {"design", "configurations", "runs"}


def test_a_single_run_is_a_sweep_of_one(tmp_path, build):
    metrics = build("run", tmp_path, build("predictions", 3, 0.8))
    page, reader = read_page(write_report(tmp_path))
    assert read_lead(page).startswith(f"One run finished. egemaps · svm reached a UAR of {metrics['test/uar']:.3f} (95")
    assert "configurations" not in reader.rows
    assert "./" in reader.links


def test_one_speaker_no_gender_and_empty_history(tmp_path, build):
    alone = build("predictions", 3, 0.8, speakers=1).assign(gender=None)
    build("run", tmp_path, alone)
    (tmp_path / "history.csv").unlink()
    (tmp_path / "dataset.json").unlink()
    page, reader = read_page(write_report(tmp_path))
    assert reader.rows["runs"][1][2] == "–"
    assert "1 run without an interval" in page
    assert "UAR female" not in page
    assert "<dt>Dataset</dt><dd>planted</dd>" in page


def test_runs_with_different_emotions(tmp_path, build):
    build("run", tmp_path / "0", build("predictions", 1, 0.8))
    build("run", tmp_path / "1", build("predictions", 2, 0.8, ("anger", "fear", "sadness")))
    jobs = [build("job", job, {"seed": str(job)}) for job in (0, 1)]
    page, _ = read_page(write_report(build("sweep", tmp_path, jobs, ["seed"])))
    assert "chance is 0.250–0.333 (1/4 to 1/3, by the classes of a run)" in page
    assert "Runs differ in their emotions" in page


def test_special_characters_are_escaped_everywhere(tmp_path, build):
    names = ("<i>anger</i>", "a & b", 'quo"te', "$x$")
    build(
        "run", tmp_path / "0", build("predictions", 1, 0.8, names), build("history", 1), ["<script>alert(1)</script>"]
    )
    build("run", tmp_path / "1", build("predictions", 2, 0.8, names), build("history", 2))
    jobs = [build("job", job, {"head": f"<b>{job}</b>", "x y": "it's"}) for job in (0, 1)]
    page, reader = read_page(
        write_report(
            build("sweep", tmp_path, jobs, ["head"], experiment="<script>x</script>", command="ser train -m 'a=<b>'")
        )
    )
    assert page.count("<script>") == 1
    assert "<b>0" not in page
    assert "<i>" not in page
    assert reader.rows["confusions"][1][0] in names
    assert "&#39;x y=it&#39;" in page


def test_many_runs_are_drawn_by_configuration(tmp_path, build):
    few = build("predictions", 1, 0.8, clips=8)
    jobs = [build("job", job, {"head": "ab"[job % 2], "seed": str(job)}) for job in range(42)]
    for job in jobs:
        build("run", tmp_path / job["run_dir"], few)
    page, _ = read_page(write_report(build("sweep", tmp_path, jobs, ["head", "seed"])))
    assert "One row a configuration" in page
    assert ">seed=7<" not in page
    assert "The runs of a, b predict the same" in page


def test_missing_and_contradicting_files_are_said(tmp_path, build):
    build("run", tmp_path / "0", build("predictions", 1, 0.8))
    build("run", tmp_path / "1", build("predictions", 2, 0.8))
    (tmp_path / "0" / "predictions.parquet").unlink()
    metrics = json.loads((tmp_path / "1" / "metrics.json").read_text())
    (tmp_path / "1" / "metrics.json").write_text(json.dumps(metrics | {"test/uar": 0.99}))
    jobs = [build("job", job, {"seed": str(job)}) for job in (0, 1)]
    page, _ = read_page(write_report(build("sweep", tmp_path, jobs, ["seed"])))
    assert "Run 0: predictions.parquet is missing." in page
    assert "Run 1: metrics.json says UAR 0.9900, its predictions give" in page


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no sweep and no run"):
        write_report(tmp_path)
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(InputError, match=r"sweep\.json"):
        write_report(tmp_path)


def test_matplotlib_is_not_imported_with_the_package():
    code = "import sys, ser.report; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
