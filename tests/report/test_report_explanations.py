"""Explanations of a sweep's runs in its page: scores, figure, table, links."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
import yaml
from report_tools import read_page

from ser.report import write_report
from ser.report.drawings import embed_svg
from ser.report.explanations import read_explanation

DRAWING = """<?xml version="1.0"?>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" height="9pt" viewBox="0 0 9 9"><metadata>x</metadata>
<defs><path id="m1" d="M 0 0"/></defs><g clip-path="url(#m1)"><use xlink:href="#m1" style="fill: #1C1E21"/>
<path style="fill: #ffffff; stroke: #0072b2"/></g></svg>"""


def explain(run, method="occlusion", value=0.25, state="finished"):
    """What an explainer leaves beside a run."""
    folder = run / "explanation"
    (folder / "figures").mkdir(parents=True)
    for name in ("pareto", "explainers"):
        (folder / "figures" / f"{name}.svg").write_text(DRAWING)
    scores = {"scores/insertion_deletion": value, "scores/insertion_deletion_ci_low": 0.1}
    scores |= {"scores/insertion_deletion_ci_high": 0.5, "scores/insertion_deletion/noise": 0.9, "seconds": 4.0}
    (folder / "metrics.json").write_text(json.dumps(scores | {"explain/clips": 6, "scores/valid": None}))
    (folder / "config.yaml").write_text(yaml.safe_dump({"choices": {"explainer": method}}))
    (folder / "run.json").write_text(json.dumps({"state": state}))
    return folder


@pytest.fixture
def sweep(tmp_path, build):
    """Two runs of one configuration."""
    for job in (0, 1):
        build("run", tmp_path / str(job), build("predictions", job, 0.7, clips=8))
    return build("sweep", tmp_path, [build("job", job, {"seed": str(job)}) for job in (0, 1)], ["seed"])


def test_scores_are_averaged_over_runs_and_pages_linked(sweep):
    for job, value in ((0, 0.2), (1, 0.4)):
        folder = explain(sweep / str(job), value=value)
        (folder / "explanation.json").write_text("[]")
        (folder / "evaluation.csv").write_text("method\nocclusion\n")
    (sweep / "1" / "explanation" / "explanation.html").write_text("clips")
    texts = pd.DataFrame(
        {"scope": ["emotion", "clip"], "name": ["fear", "c1"], "text": ["fear: <louder>", "c1: softer"]}
    )
    texts.to_csv(sweep / "0" / "explanation" / "sentences.csv", index=False)
    page, reader = read_page(write_report(sweep))
    rows = reader.rows["explanations"]
    assert rows[1:3] == [
        ["egemaps · svm", "insertion − deletion", "0.300", "0.100–0.500", "2"],
        ["egemaps · svm", "explain/clips", "6", "–", "2"],
    ]
    assert {"1/explanation/explanation.html", "0/explanation/"} <= set(reader.links)
    assert "fear: &lt;louder&gt;" in page and "c1: softer" not in page
    assert "explainers, as explanation/figures has it" in page


def test_explainers_of_whole_runs_show_their_own_table_and_figure(sweep):
    folder = explain(sweep / "0", "probing")
    (folder / "figures" / "probes.svg").write_text(DRAWING)
    table = pd.DataFrame({"target": [f"F{place}" for place in range(20)], "r2": 0.123456, "clips": 7})
    table.to_csv(folder / "probes.csv", index=False)
    table.to_csv(folder / "curves.csv", index=False)
    page, reader = read_page(write_report(sweep))
    assert reader.rows["explanations"][:2] == [["target", "r2", "clips"], ["F0", "0.123", "7"]]
    assert "15 of 20 rows and 3 of 3 columns of explanation/probes.csv" in page and "probes, as explanation" in page


def test_what_did_not_finish_is_not_shown(sweep):
    folder = explain(sweep / "0", state="running")
    assert read_explanation(folder) is None
    assert 'id="explanations"' not in write_report(sweep).read_text()


def test_drawings_take_the_colours_of_the_page_and_share_no_names(tmp_path):
    (tmp_path / "a.svg").write_text(DRAWING)
    one, other = (embed_svg(tmp_path / "a.svg", label) for label in ("one", "<other>"))
    assert all(f"var(--{name})" in one for name in ("ink", "paper", "series-1"))
    assert not re.search(": #[0-9a-fA-F]{6}", one)
    assert 'aria-label="&lt;other&gt;"' in other and "metadata" not in one and "http" not in one
    ids = [set(re.findall(r'id="([^"]+)"', drawing)) for drawing in (one, other)]
    assert ids[0] and not ids[0] & ids[1]
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', one)) == ids[0]
