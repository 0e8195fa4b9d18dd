"""Descriptions of runs in MLflow: the result, links that lead somewhere, no words about what is not there."""

import re

from ser.tracking.note import describe_explanation, describe_run, describe_sweep

SCORES = {"test/uar": 0.7512, "test/uar_ci_low": 0.6, "test/uar_ci_high": 0.9, "test/wa": 0.8, "test/f1_macro": None}
COUNTS = {"test/n_clips": 40.0, "test/n_speakers": 3.0}


def list_links(text):
    return dict(re.findall(r"\[([^]]+)\]\(([^)]+)\)", text))


def test_a_run_tells_its_score_and_what_it_is_one_of():
    text = describe_run("7", "abc", {**SCORES, **COUNTS}, "par", "/runs/abc")
    first = "**UAR 0.751**, 95 % interval over speakers 0.600 to 0.900; WA 0.800 (test: 40 clips of 3 speakers)."
    assert text.splitlines()[0] == first and "`/runs/abc`" in text
    links = list_links(text)
    assert links["sweep"] == "#/experiments/7/runs/par"
    assert links["report"] == "#/experiments/7/runs/par/artifacts/report.html"
    assert links["config.yaml"] == "#/experiments/7/runs/abc/artifacts/config.yaml"
    alone = describe_run("7", "abc", {"test/ccc": 0.5}, "", "/runs/abc")
    assert alone.startswith("**CCC 0.500** (test).") and "sweep" not in alone and "```" not in alone


def test_an_explanation_opens_its_page_if_it_has_one():
    text = describe_explanation("7", "ex", "abc", "explanation.html", "")
    assert list_links(text) == {
        "Open the explanation": "#/experiments/7/runs/ex/artifacts/explanation.html",
        "this run": "#/experiments/7/runs/abc",
    }
    assert list(list_links(describe_explanation("7", "ex", "abc", "", ""))) == ["this run"]


def test_a_sweep_opens_its_report_and_compares_its_runs():
    text = describe_sweep(
        "7",
        "par",
        "ser train -m seed=1,2",
        ["finished", "finished", "failed"],
        ["report.html", "sweep.json"],
        "ser-par",
    )
    links = list_links(text)
    assert links["Open the report"].endswith("/runs/par/artifacts/report.html")
    assert links["Compare its runs"] == "#/experiments/7/runs?viewStateShareKey=ser-par&compareRunsMode=TABLE"
    assert links["in charts"] == "#/experiments/7/runs?viewStateShareKey=ser-par&compareRunsMode=CHART"
    assert "3 jobs: 2 finished, 1 failed." in text and "```\nser train -m seed=1,2\n```" in text
    assert "sweep.json" in links and "report.html" not in links
