"""Statistics in the page of a sweep and on a page of their own: the conclusion first, everything escaped."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from report_tools import read_lead, read_page

from ser.report.collect import read_sweep
from ser.report.page import render
from ser.report.sections.statistics import build_statistics, list_sections, name_page, write_page
from ser.report.sections.statistics_words import tell_design, tell_fit, tell_needs
from ser.statistics.export import FOLDER, write_statistics

CONTRAST = {
    "factor": "head",
    "contrast": "linear - svm",
    "by": None,
    "estimate": -0.05,
    "se": 0.01,
    "df": 9.0,
    "stat": -5.0,
    "p": 0.0004,
    "p_adjusted": 0.0004,
    "adjust": "holm",
    "ci_low": -0.07,
    "ci_high": -0.03,
    "effect_size": -1.2,
    "effect_kind": "d",
    "verdict": "superior",
}


@pytest.fixture
def statistics():
    levels = ("linear", "svm")
    mean = {"se": 0.01, "df": 9.0, "ci_low": 0.6, "ci_high": 0.8}
    return {
        "design": {
            "response": "uar",
            "rows": "cells",
            "n_rows": 20,
            "factors": [{"name": "head", "levels": list(levels), "kind": "between"}],
            "unit": "run_id",
            "n_units": 4,
            "speakers": {"planted": 5},
            "random": ["speaker"],
            "balanced": False,
            "empty_cells": [{"head": "svm", "backbone": "<none>"}],
            "failures": [{"job": 3}],
        },
        "method": {"method": "mixed", "reason": "speakers & runs <are> known"},
        "mixed": {
            "formula": "uar ~ head + (1 | speaker)",
            "method": "REML",
            "loglik": 12.345,
            "converged": False,
            "singular": True,
            "notes": ["variance at 0"],
            "tests": [{"term": "head", "df": 1, "df_denom": 9.0, "F": 25.0, "p": 0.0007}],
            "random": [{"group": "speaker", "term": "(Intercept)", "sd": 0.03}],
        },
        "means": [{"factors": "head", "levels": {"head": level}, "mean": 0.7, **mean} for level in levels],
        "contrasts": [CONTRAST, CONTRAST | {"contrast": "tree - svm", "estimate": -0.1, "p": 0.02}],
        "conclusion": ["svm is better & <not> by chance.", "This holds for speakers like these."],
        "caveats": ["5 speakers are few"],
        "methods": "A linear <mixed> model was fitted.",
        "environment": {"glmm": "0.6.2", "seeds": {"draws": 0}},
    }


@pytest.fixture
def rows():
    speakers = [f"s{place}" for place in range(5)]
    frame = pd.DataFrame([{"head": head, "speaker": one} for head in ("linear", "svm") for one in speakers * 2])
    score = np.random.default_rng(0).uniform(0.5, 0.9, len(frame))
    return frame.assign(uar=score, fitted=0.7, residual=score - 0.7)


def test_the_page_opens_with_the_conclusion_and_its_caveats(tmp_path, statistics, rows):
    page, reader = read_page(write_page(tmp_path, statistics, rows))
    assert "<h1>UAR by head</h1>" in page
    assert read_lead(page) == "svm is better &amp; &lt;not&gt; by chance."
    opening = page[page.index('id="conclusion"') : page.index('id="design"')]
    assert opening.index("like these") < opening.index("<dt>Caveat</dt><dd>5 speakers are few</dd>")
    order = [
        page.index(f'<section id="{name}">') for name in ("conclusion", "design", "evidence", "checks", "appendix")
    ]
    assert order == sorted(order)
    assert not [link for link in reader.links if not link.startswith("#")]  # one file
    assert page == write_page(tmp_path, statistics, rows).read_text()


def test_nothing_of_the_results_is_taken_for_markup(tmp_path, statistics, rows):
    page, _ = read_page(write_page(tmp_path, statistics, rows))
    assert "<are>" not in page and "<none>" not in page and "<mixed>" not in page and "<not>" not in page
    assert "speakers &amp; runs &lt;are&gt; known" in page and "backbone=&lt;none&gt;" in page


def test_tables_show_and_sort_the_numbers(tmp_path, statistics, rows):
    page, reader = read_page(write_page(tmp_path, statistics, rows))
    assert ["head", "linear - svm", "-0.050"] in [row[:3] for row in reader.rows["evidence"]] and "&lt; .001" in page
    assert 'data-sort="0.0004"' in page and 'data-sort="-0.05"' in page
    assert page.count('<table class="sortable">') == 4  # tests, contrasts, means, standard deviations


def test_figures_stand_before_their_tables(tmp_path, statistics, rows):
    page, _ = read_page(write_page(tmp_path, statistics, rows))
    labels = re.findall(r'<svg role="img" aria-label="([^"]*)"', page)
    assert labels == [
        "Differences of means with intervals",
        "Differences on each test speaker",
        "Estimated marginal means with intervals",
        "Shares of the random variance",
        "Residuals of the primary model",
    ]


def test_design_and_fit_in_words(statistics):
    facts = dict(tell_design(statistics)[0].items)
    assert facts["Rows"] == "20 scores of trained models on single speakers, from 4 runs"
    assert facts["Factor head"] == "linear, svm (between run)" and facts["Balanced"] == "no"
    assert facts["Empty cells"] == "head=svm, backbone=<none>" and facts["Failed jobs"] == "1"
    assert facts["Method"] == "mixed – speakers & runs <are> known" and facts["Speakers"] == "planted: 5"
    assert tell_fit(statistics["mixed"]) == "did not converge; singular; log-likelihood 12.35; variance at 0"
    plain = {
        "design": {"response": "score", "factors": {"arch": ["a", "b"]}, "rows": 96, "within": ["arch"], "unit": "run"}
    }
    facts = dict(tell_design(plain)[0].items)
    assert facts == {"Response": "score", "Factor arch": "a, b (within run)", "Rows": "96"}


def test_what_an_effect_needs():
    power = {"effect": 0.02, "power": 0.8, "seeds_needed": {"10": None, "0": 12}, "speakers_needed": {"5": 1200}}
    assert tell_needs(power) == [
        "To detect a difference of 0.02 with 80 % power on 10 speakers, no number of seeds is enough.",
        "To detect a difference of 0.02 with 80 % power on these speakers, 12 seeds a condition are needed.",
        "To detect a difference of 0.02 with 80 % power by 5 seeds a condition, 1,200 speakers are needed.",
    ]
    assert tell_needs([]) == tell_needs({}) == []


def test_the_page_of_a_sweep_has_the_conclusion_and_a_way_to_the_rest(tmp_path, build, statistics, rows):
    build("run", tmp_path / "0", build("predictions", 1, 0.7))
    sweep = read_sweep(build("sweep", tmp_path, [build("job", 0, {"seed": "1"})], ["seed"]))
    assert build_statistics(sweep) is None
    write_statistics(tmp_path / FOLDER, statistics, rows)
    blocks = build_statistics(sweep).blocks
    assert blocks[0].text == "svm is better & <not> by chance." and blocks[0].style == "lead"
    assert "More" not in [column for block in blocks for column in getattr(block, "columns", ())]
    write_page(tmp_path / FOLDER, statistics, rows)
    page = render("t", "s", [build_statistics(sweep)])
    assert 'href="statistics/report.html"' in page and page.count("<svg") == 2
    assert "single speakers" in page


def test_what_was_not_tested_is_said(tmp_path):
    statistics = {"design": {"response": "uar", "factors": []}, "conclusion": ["Nothing was tested: one run."]}
    page, _ = read_page(write_page(tmp_path, statistics))
    assert read_lead(page) == "Nothing was tested: one run." and "<svg" not in page
    assert name_page(statistics) == "Statistics of UAR"
    assert [section.name for section in list_sections({"conclusion": ["x"]})] == ["conclusion"]
