"""Decisions and sentences."""

import re

import numpy as np
import pandas as pd
import pytest

from ser.statistics.analyse import analyse
from ser.statistics.conclude import conclude, describe_methods, describe_p, join_words, list_caveats
from ser.statistics.decide import agrees, decide, name_decision
from ser.statistics.design import describe_design
from ser.statistics.settings import Settings
from ser.statistics.tidy import read_tidy


def make_row(**changes):
    row = {"factor": "arch", "contrast": "a - b", "by": None, "estimate": 0.05, "p": 0.001, "p_adjusted": 0.001,
           "estimable": True, "effect_kind": "d", "verdict": "superior"}  # fmt: skip
    return {**row, **changes}


@pytest.mark.parametrize(
    ("changes", "disagreeing", "word"),
    [
        ({}, [], "supported"),
        ({}, ["runs"], "sensitive"),
        ({"p_adjusted": 0.2, "verdict": "inconclusive"}, [], "inconclusive"),
        ({"p_adjusted": 0.2, "verdict": "inconclusive"}, ["runs"], "inconclusive"),
        ({"estimate": 0.01, "verdict": "different but small"}, [], "small"),
        ({"estimate": 0.001, "p_adjusted": 0.6, "verdict": "equivalent"}, [], "equivalent"),
        ({"estimable": False, "p_adjusted": None}, [], "not estimable"),
        ({"p_adjusted": None}, [], "inconclusive"),
        ({"p_adjusted": float("nan")}, [], "inconclusive"),
        ({"estimate": 0.001, "effect_kind": "odds_ratio", "verdict": None}, [], "supported"),
    ],
)
def test_one_rule_decides(changes, disagreeing, word):
    assert name_decision(make_row(**changes), disagreeing, 0.05, 0.02) == word


def test_no_difference_is_small_where_none_is_known_to_matter():
    assert name_decision(make_row(estimate=0.0001, verdict=None), [], 0.05, None) == "supported"


@pytest.mark.parametrize(
    ("other", "fine"),
    [({}, True), ({"estimate": -0.05}, False), ({"p": 0.2}, False), ({"p": None}, True), ({"by": {"x": "1"}}, True)],
)
def test_a_second_opinion_agrees_by_sign_and_a_small_p(other, fine):
    assert agrees(make_row(), [make_row(**other)]) is fine


def make_analysis(tmp_path, spread=0.02, response="uar", **settings):
    rng = np.random.default_rng(1)
    rows = [
        {"arch": arch, "pft": pft, response: level + spread * rng.normal()}
        for arch, level in (("cnn", 0.6), ("hubert", 0.7))
        for pft in ("ital", "none")
        for _ in range(8)
    ]
    path = tmp_path / "runs.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    table = read_tidy(path, response, ["arch", "pft"])
    return analyse(describe_design(table), Settings(draws=99, **settings))


def test_the_conclusion_says_what_differs_by_how_much_and_for_whom(tmp_path):
    analysis = make_analysis(tmp_path)
    sentences = conclude(analysis, decide(analysis))
    assert sentences[0].startswith("By an analysis of variance of 32 rows, uar depends on arch (F(1, 28) = ")
    assert "not shown: pft" in sentences[0]
    difference = next(sentence for sentence in sentences if sentence.startswith("arch, cnn - hubert: -"))
    assert "points, 95 % interval -" in difference and difference.endswith("a difference that the data support.")
    assert any("four of five cases" in sentence for sentence in sentences)
    assert "Types I, II and III agree" not in " ".join(list_caveats(analysis))
    assert "Type II sums of squares" in describe_methods(analysis) and "0.02" in describe_methods(analysis)


def test_other_units_have_digits_by_their_error(tmp_path):
    analysis = make_analysis(tmp_path, spread=20.0, response="delay", alpha=0.1)
    row = next(row for row in conclude(analysis, decide(analysis)) if row.startswith("pft"))
    assert "points" not in row and re.match(r"pft, ital - none: \+\d+\.\d, 90 % interval -\d+\.\d to", row)


def test_sensitive_terms_make_sensitive_contrasts(tmp_path):
    analysis = make_analysis(tmp_path)
    for row in analysis.results["anova"][0]["terms"]:
        row["sensitive"] = row["term"] == "arch"
    made = {row["factor"]: row for row in decide(analysis) if row["by"] is None}
    assert made["arch"]["decision"] == "sensitive" and made["arch"]["disagreeing"] == ["permutation or HC3 F"]
    analysis.others["HC3"] = [{**row, "p": 0.5} for row in analysis.others["HC3"]]
    assert decide(analysis)[0]["disagreeing"] == ["HC3", "permutation or HC3 F"]


def test_words():
    assert [describe_p(p) for p in (0.0001, 0.0345, 1.0, None, float("nan"))] == [
        "p < .001", "p = .035", "p = 1.000", "p not defined", "p not defined",
    ]  # fmt: skip
    assert [join_words(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
