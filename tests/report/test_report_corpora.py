"""Several corpora: the matrix of training and test corpora, and confusions of each."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from report_tools import read_page

from ser.metrics import tabulate_confusion
from ser.report import write_report

NAMES = ("emodb", "emovo")


@pytest.fixture
def crossed(tmp_path, build):
    """Each corpus, and both, trained by two heads with two seeds; both tested in every run."""
    jobs = []
    for train in (["emodb"], ["emovo"], ["emodb", "emovo"]):
        for head in ("svm", "linear"):
            for seed in (0, 1):
                job = len(jobs)
                jobs.append(build("job", job, {"data.train": f"[{','.join(train)}]", "head": head, "seed": str(seed)}))
                parts = {
                    name: build("predictions", 10 * job + place, 0.8 if name in train else 0.4, clips=30 + place)
                    for place, name in enumerate(NAMES)
                }
                build("run", tmp_path / str(job), build("corpora", **parts), data={"train": train, "test": [*NAMES]})
    return build("sweep", tmp_path, jobs, ["data.train", "head", "seed"])


def read_heatmap(page):
    return re.search(r'aria-label="UAR by training corpora.*?</svg>', page, re.DOTALL)[0]


def read_scores(folder):
    """UAR by job and corpus, from the predictions."""
    found = pd.read_parquet(folder / "predictions.parquet")
    return {
        name: float(np.mean([(part["predicted"] == e)[part["true"] == e].mean() for e in part["true"].unique()]))
        for name, part in found.groupby("dataset")
    }


def test_the_matrix_is_drawn_with_its_numbers_and_its_frames(crossed):
    page, reader = read_page(write_report(crossed))
    drawing = read_heatmap(page)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawing)
    scores = [read_scores(crossed / str(job)) for job in range(12)]
    for train in range(3):
        for head in range(2):
            first = 4 * train + 2 * head
            for name in NAMES:
                assert f"{(scores[first][name] + scores[first + 1][name]) / 2:.3f}" in texts
    # Two heads, each with emodb on emodb, emovo on emovo, both on both; and the key.
    assert drawing.count("stroke: currentColor; stroke-width: 1.6") == 9
    assert "held-out speakers" in drawing and {"svm", "linear"} <= set(texts)
    assert reader.rows["corpora"][0] == ["setting", "trained on", "emodb", "emovo", "mean"]
    assert len(reader.rows["corpora"]) == 7


def test_cells_are_means_over_runs(crossed):
    write_report(crossed)
    table = pd.read_csv(crossed / "report" / "corpora.csv").set_index(["setting", "trained", "tested"])
    assert len(table) == 12 and (table["n"] == 2).all() and (table["metric"] == "uar").all()
    scores = [read_scores(crossed / str(job)) for job in (4, 5)]
    cell = table.loc[("svm", "emovo", "emodb")]
    assert cell["score"] == pytest.approx((scores[0]["emodb"] + scores[1]["emodb"]) / 2)
    assert cell["low"] < cell["score"] < cell["high"] and not cell["within"]
    assert table.loc[("linear", "emodb, emovo", "emovo"), "within"]


def test_colours_of_the_matrix_are_those_of_the_page(crossed):
    page, _ = read_page(write_report(crossed))
    drawing = read_heatmap(page)
    assert "fill: var(--accent" in drawing and "stroke: currentColor" in drawing
    opacities = [float(value) for value in re.findall(r"opacity: ([\d.]+)", drawing)]
    assert 0 < min(opacities) < 0.3 and max(opacities) == 0.5  # ink stays readable on the darkest cell


def test_one_test_corpus_a_run_makes_the_same_matrix(tmp_path, build):
    jobs = []
    for train in NAMES:
        for test in NAMES:
            job = len(jobs)
            jobs.append(build("job", job, {"data.train": f"[{train}]", "data.test": f"[{test}]"}))
            predictions = build("predictions", job, 0.8 if train == test else 0.4).assign(dataset=test)
            build("run", tmp_path / str(job), predictions, data={"train": [train], "test": [test]})
    page, reader = read_page(write_report(build("sweep", tmp_path, jobs, ["data.train", "data.test"])))
    scores = [f"{read_scores(tmp_path / str(job))[NAMES[job % 2]]:.3f}" for job in range(4)]
    rows = {row[0]: row[1:3] for row in reader.rows["corpora"]}
    assert rows == {"trained on": [*NAMES], "emodb": scores[:2], "emovo": scores[2:]}
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", read_heatmap(page))
    assert set(scores) <= set(texts)
    assert "Tested on emodb" not in page  # each configuration has one test corpus, and its name says so


def test_one_pair_of_corpora_is_no_matrix(tmp_path, build):
    predictions = build("predictions", 1, 0.5).assign(dataset="emovo")
    build("run", tmp_path, predictions, data={"train": ["emodb"], "test": ["emovo"]})
    _, reader = read_page(write_report(tmp_path))
    assert "corpora" not in reader.rows


def test_a_cell_that_nothing_fills_is_a_dash(tmp_path, build):
    pairs = [("emodb", "emovo"), ("emovo", "emodb"), ("emovo", "emovo")]
    jobs = [build("job", i, {"data.train": f"[{a}]", "data.test": f"[{b}]"}) for i, (a, b) in enumerate(pairs)]
    for job, (train, test) in enumerate(pairs):
        predictions = build("predictions", job, 0.5).assign(dataset=test)
        build("run", tmp_path / str(job), predictions, data={"train": [train], "test": [test]})
    page, reader = read_page(write_report(build("sweep", tmp_path, jobs, ["data.train", "data.test"])))
    assert ">–</text>" in read_heatmap(page)
    assert "–" in next(row for row in reader.rows["corpora"] if row[0] == "emodb")


def test_confusions_are_those_of_one_test_corpus(crossed):
    page, reader = read_page(write_report(crossed))
    assert re.findall(r"<h3>([^<]*)</h3>", page) == ["Tested on emodb", "Tested on emovo"]
    assert len(re.findall(r'<figure class="matrix">', page)) == 12
    for corpus in NAMES:
        path = crossed / "report" / f"confusion_data.train=_emovo_svm_{corpus}.csv"
        counts = pd.read_csv(path, index_col="true")
        runs = [pd.read_parquet(crossed / str(job) / "predictions.parquet") for job in (4, 5)]
        expected = sum(tabulate_confusion(run[run["dataset"] == corpus]) for run in runs) / 2
        np.testing.assert_allclose(counts, expected)
    assert reader.rows["classes"][0][:2] == ["configuration", "tested on"] and len(reader.rows["classes"]) == 13


def test_clips_tested_by_several_models_count_once(tmp_path, build):
    other = build("predictions", 2, 0.5, clips=10)
    both = build(
        "corpora", emodb=build("predictions", 1, 0.5), emovo=pd.concat([other.assign(fold=k) for k in range(3)])
    )
    build("run", tmp_path, both, data={"train": ["emodb"], "test": ["emodb", "emovo"]})
    page = write_report(tmp_path).read_text()
    assert "<dd>emodb: 240 clips, 6 speakers; emovo: 60 clips, 6 speakers</dd>" in page
    assert "averaged over test corpora" in page
