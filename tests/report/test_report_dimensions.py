"""Runs that predict numbers: alone, on several corpora, and in one sweep with runs that name emotions."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from report_tools import read_lead, read_page

from ser.regression import score_values
from ser.report import write_report
from ser.report.collect import read_sweep
from ser.report.scatter import find_limits

DIMENSIONS = ("arousal", "valence")


@pytest.fixture
def rated(tmp_path, build):
    """Two configurations times two seeds; the second is less exact, and is trained by epochs."""
    jobs = [build("job", job, {"head": ["svr", "linear"][job // 2], "seed": str(job % 2)}) for job in range(4)]
    for job in range(4):
        history = build("history", job, score="ccc") if job > 1 else None
        build("run", tmp_path / str(job), build("ratings", job, [0.5, 1.0][job // 2]), history)
    return build("sweep", tmp_path, jobs, ["head", "seed"])


@pytest.fixture
def mixed(tmp_path, build):
    """Two runs on emotions, two on dimensions, one of either kind refused."""
    targets = ["emotion", "emotion", "[arousal,valence]", "[arousal,valence]", "emotion", "[arousal,valence]"]
    heads = ["svm", "linear", "svr", "linear", "svr", "svm"]
    jobs = [
        build("job", job, {"dataset.target": target, "head": head}, *(["refused", "no"] if job > 3 else []))
        for job, (target, head) in enumerate(zip(targets, heads, strict=True))
    ]
    for job in range(4):
        predictions = build("predictions", job, 0.7) if job < 2 else build("ratings", job, 0.5)
        build("run", tmp_path / str(job), predictions, build("history", job, score="ccc" if job > 1 else "uar"))
    return build("sweep", tmp_path, jobs, ["dataset.target", "head"])


def rescore(folder):
    return score_values(pd.read_parquet(folder / "predictions.parquet"), "test", DIMENSIONS)


def test_every_section_speaks_of_concordance(rated):
    page, reader = read_page(write_report(rated))
    scores = [rescore(rated / str(job)) for job in (0, 1)]
    means = {
        name: np.mean([found[f"test/{name}"] for found in scores]) for name in ("ccc", "ccc/arousal", "ccc/valence")
    }
    low, high = sorted(found["test/ccc"] for found in scores)
    assert read_lead(page) == (
        f"All 4 runs finished. The best of 2 configurations, svr, reached a mean CCC of {means['ccc']:.3f} "
        f"({low:.3f}–{high:.3f} over 2 runs), averaged over 2 dimensions (arousal {means['ccc/arousal']:.3f}, "
        f"valence {means['ccc/valence']:.3f}); chance is 0, full agreement 1."
    )
    assert set(reader.rows) == {"design", "data", "configurations", "dimensions", "runs", "classes"}
    assert reader.rows["configurations"][0][1] == "CCC mean" and reader.rows["configurations"][0][-2:] == ["PCC", "MAE"]
    assert reader.rows["classes"][0] == ["configuration", "CCC female", "CCC male"]
    assert "UAR" not in page and "emotion" not in page.replace("[emotion", "")
    assert "validation CCC" in page and "<dt>Dimensions</dt><dd>arousal, valence</dd>" in page
    assert "<dt>Tested on</dt><dd>240 clips, 6 speakers</dd>" in page


def test_scores_of_each_dimension_are_those_of_the_predictions(rated):
    _, reader = read_page(write_report(rated))
    header, *rows = reader.rows["dimensions"]
    assert header == ["configuration", "dimension", "n", "CCC", "95 % CI", "PCC", "95 % CI", "MAE", "95 % CI"]
    assert [row[:3] for row in rows] == [[name, d, "2"] for name in ("svr", "linear") for d in DIMENSIONS]
    table = pd.read_csv(rated / "report" / "dimensions.csv")
    for place, row in table.iterrows():
        first = 0 if row["configuration"] == "svr" else 2
        scores = [rescore(rated / str(job)) for job in (first, first + 1)]
        for column, score in enumerate(("ccc", "pcc", "mae")):
            value, low, high = (
                np.mean([found[f"test/{score}/{row['dimension']}{end}"] for found in scores])
                for end in ("", "_ci_low", "_ci_high")
            )
            assert (row[score], row[f"{score}_ci_low"], row[f"{score}_ci_high"]) == pytest.approx((value, low, high))
            assert rows[place][3 + 2 * column : 5 + 2 * column] == [f"{value:.3f}", f"{low:.3f}–{high:.3f}"]
    runs = pd.read_csv(rated / "report" / "runs.csv")
    assert {"ccc", "ccc_ci_low", "pcc", "mae"} <= set(runs) and "uar" not in runs


def test_true_and_predicted_values_are_drawn(rated):
    page, _ = read_page(write_report(rated))
    labels = re.findall(r'aria-label="(Predicted against true[^"]*)"', page)
    assert labels == [f"Predicted against true values of {name}" for name in ("svr (run 0)", "linear (run 2)")]
    figures = re.findall(r'aria-label="Predicted against true.*?</svg>', page, re.DOTALL)
    assert all(figure.count("<use") >= 2 * 240 for figure in figures)


def test_many_predictions_and_configurations_are_drawn_in_part(tmp_path, build):
    jobs = [build("job", job, {"head": f"h{job}"}) for job in range(8)]
    for job in jobs:
        build("run", tmp_path / job["run_dir"], build("ratings", job["job"], 0.5, clips=100))
    page, _ = read_page(write_report(build("sweep", tmp_path, jobs, ["head"])))
    assert page.count("500 of 600 are drawn") == 6
    assert "Only the best 6 of 8 configurations are drawn." in page


def test_axes_hold_all_true_values_and_predictions_nearby():
    true = np.array([1.0, 5.0])
    assert find_limits(true, np.array([2.0, 3.0])) == pytest.approx((0.84, 5.16))
    assert find_limits(true, np.array([0.5, 900.0])) == pytest.approx((0.5 - 0.212, 5.8 + 0.212))
    low, high = find_limits(np.ones(3), np.ones(3))
    assert low < 1 < high


def test_constant_predictions_and_one_dimension(tmp_path, build):
    build("run", tmp_path, build("ratings", 1, 0.5, ["arousal"]).assign(pred_arousal=0.25))
    page, reader = read_page(write_report(tmp_path))
    assert "reached a CCC of 0.000 (95\u00a0% interval over speakers 0.000) for arousal;" in read_lead(page)
    assert reader.rows["dimensions"][1][3:7] == ["0.000", "0.000", "–", "–"]


def test_contradicting_predictions_are_said(tmp_path, build):
    build("run", tmp_path, build("ratings", 1, 0.5))
    assert "metrics.json says" not in write_report(tmp_path).read_text()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    (tmp_path / "metrics.json").write_text(json.dumps(metrics | {"test/ccc": 0.99}))
    assert "Run 0: metrics.json says CCC 0.9900, its predictions give" in write_report(tmp_path).read_text()


def test_runs_that_predict_the_same_are_said(tmp_path, build):
    jobs = [build("job", job, {"head": "svr", "seed": str(job)}) for job in (0, 1)]
    for job in (0, 1):
        build("run", tmp_path / str(job), build("ratings", 7, 0.5))
    assert (
        "The runs of egemaps · svm predict the same"
        in write_report(build("sweep", tmp_path, jobs, ["seed"])).read_text()
    )


def test_runs_with_different_dimensions(tmp_path, build):
    jobs = [build("job", job, {"dataset.target": f"[{'ab'[job]}]"}) for job in (0, 1)]
    for job in (0, 1):
        build("run", tmp_path / str(job), build("ratings", job, 0.5, ["ab"[job]]))
    page, reader = read_page(write_report(build("sweep", tmp_path, jobs, ["dataset.target"])))
    assert "Runs differ in their dimensions" in page
    assert {row[1] for row in reader.rows["dimensions"][1:]} == {"a", "b"} and len(reader.rows["dimensions"]) == 3


def test_a_sweep_of_both_kinds_tells_them_apart(mixed):
    page, reader = read_page(write_report(mixed))
    lead = read_lead(page)
    assert re.search(r"Emotions: The best of 2 configurations, .* reached a UAR of .*chance is 0\.250", lead)
    assert re.search(r"Dimensions: The best of 2 configurations, .* reached a CCC of .*chance is 0, full", lead)
    assert "UAR and CCC do not compare" in page and "Runs differ in the number of classes" not in page
    tables = reader.rows["configurations"]
    heads = [place for place, row in enumerate(tables) if row[0] == "configuration"]
    assert [row[0].partition(" · ")[0] for row in tables[1 : heads[1]]] == ["dataset.target=emotion"] * 3
    assert [row[4] for row in tables if row[0] != "configuration"] == ["1", "1", "0 of 1"] * 2
    runs = reader.rows["runs"]
    assert runs[0][3:-2] == ["UAR", "95 % CI", "WA", "CCC", "95 % CI", "PCC"]
    assert runs[1][6:9] == ["–"] * 3 and runs[3][3:6] == ["–"] * 3 and "–" not in (runs[1][3], runs[3][6])
    assert "validation UAR" in page and "validation CCC" in page
    table = pd.read_csv(mixed / "report" / "configurations.csv")
    assert table["uar_mean"].notna().sum() == 2 and table["ccc_mean"].notna().sum() == 2
    assert len(list((mixed / "report").glob("confusion_*_share.csv"))) == 2


def test_runs_without_a_score_stay_with_their_kind(mixed):
    parts = read_sweep(mixed).parts
    assert [part.headline for part in parts] == ["uar", "ccc"]
    assert [[run.job for run in part.runs] for part in parts] == [[0, 1, 4], [2, 3, 5]]


def test_dimensions_on_several_corpora_are_told_apart(tmp_path, build):
    both = build("corpora", one=build("ratings", 1, 0.3), two=build("ratings", 2, 1.5))
    metrics = build("run", tmp_path, both, data={"train": ["one"], "test": ["one", "two"]})
    page, reader = read_page(write_report(tmp_path))
    assert [row[1:3] for row in reader.rows["dimensions"]] == [
        ["tested on", "dimension"],
        *([corpus, dimension] for corpus in ("one", "two") for dimension in DIMENSIONS),
    ]
    assert reader.rows["dimensions"][4][4] == f"{metrics['test/two/ccc/valence']:.3f}"
    assert reader.rows["corpora"][1] == ["one", *(f"{metrics[f'test/{name}ccc']:.3f}" for name in ("one/", "two/", ""))]
    assert "tested on two (run 0)" in page and "metrics.json says" not in page
