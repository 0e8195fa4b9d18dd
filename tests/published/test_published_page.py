"""The page of a study: its question, what it rests on, what stands against it, and where its steps' pages are."""

import json
import re

import pandas as pd
import pytest

from ser.published.obtain import Place
from ser.published.page import write_page
from ser.published.read import Claim, Condition, Number, Publication
from ser.study import Record, Step, Study

PUBLICATION = Publication(
    title="A <finding>",
    source="who, when",
    question="Is it so?",
    differences=("other clips",),
    claims=(
        Claim("high", "It is high.", "table 1", (Condition("score", "above"),), ("small",)),
        Claim("all", "It holds of all.", "table 2", why="one corpus says nothing of all"),
    ),
    numbers=(
        Number("score", "UAR", "table 1", 0.5, obtained=Place("sweep", "test/uar")),
        Number("other", "another", "table 2", 0.7, why="not tried"),
    ),
)


@pytest.fixture
def study(tmp_path):
    """A study of two steps, one of which failed, and its records."""
    run = tmp_path / "sweep"
    run.mkdir()
    predictions = {"clip": ["a", "b"], "speaker": ["x", "y"], "fold": "0", "gender": None, "evaluation": "test"}
    frame = pd.DataFrame({**predictions, "dataset": "small", "true": ["p", "q"], "predicted": ["p", "p"]})
    frame.to_parquet(run / "predictions.parquet")
    corpus = {"name": "small", "clips": 2, "speakers": 2, "hours": 0.01, "emotions": {"p": 1, "q": 1}, "licence": "CC0"}
    files = {"metrics": {"test/uar": 0.5}, "dataset": corpus, "notes": ["fold 0: no fear"], "environment": {"ser": "0"}}
    for name, content in files.items():
        (run / f"{name}.json").write_text(json.dumps(content))
    (run / "config.yaml").write_text("choices: {head: svm}\n")
    (run / "explanation").mkdir()
    (run / "explanation.html").write_text("clips")
    records = [
        Record("sweep", "finished", ["train", "seed=1"], "k", 0, 3.0, str(run)),
        Record("why", "failed", ["explain", "run=x"], "k", 1, 1.0, "", "", "exit code 1"),
    ]
    steps = (Step("sweep", ("train",)), Step("why", ("explain",)))
    return Study("mine", "", {"small": {"seeds": 1}}, steps, tmp_path), records


def make(study, folder):
    write_page(study[0], "small", {"seeds": "1"}, study[1], PUBLICATION, folder)
    return (folder / "report.html").read_text()


def read_section(page, name):
    return re.search(f'<section id="{name}">(.*?)</section>', page, re.DOTALL)[1]


def test_the_question_leads_and_claims_are_counted(study, tmp_path):
    page = make(study, tmp_path)
    assert '<p class="lead">Is it so?</p>' in page and "Of 2 claims: 2 cannot be tested at this scale." in page
    assert "A &lt;finding&gt;" in page and "<finding>" not in page


def test_data_of_the_runs_have_their_licence(study, tmp_path):
    data = read_section(make(study, tmp_path), "data")
    assert "<dd>CC0</dd>" in data and 'data-sort="small"' in data


def test_threats_name_untested_claims_lost_steps_and_notes_of_runs(study, tmp_path):
    threats = read_section(make(study, tmp_path), "threats")
    assert "Not tested: It is high." in threats and "has no interval" in threats
    assert "Not tested: It holds of all." in threats and "one corpus says nothing of all" in threats
    assert "Step why failed." in threats and "exit code 1" in threats and "fold 0: no fear" in threats


def test_pages_of_steps_are_linked_relative_to_the_study(study, tmp_path):
    assert re.findall('href="([^"]*)"', read_section(make(study, tmp_path), "pages")) == ["sweep/explanation.html"]


def test_the_page_stands_alone_sorts_and_is_the_same_again(study, tmp_path):
    page = make(study, tmp_path)
    assert not re.search(r"@import|<link|<img|<iframe|src=", page) and "sortTable" in page
    assert page.count('data-sort="UAR"') == 1 and make(study, tmp_path) == page
