"""The stage `ser stats`: what it reads, refuses, writes and says."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stage_tools import refuse_stats, run_stats
from sweep_tools import write_sweep

from ser.cli import main
from ser.config import compose
from ser.statistics.settings import Settings
from ser.stats import analyse_sweep

DOCS = Path(__file__).parents[2] / "docs" / "statistics.md"
GRID = {"backbone": ["cnn", "hubert"], "head": ["mlp", "svm"], "seed": [1, 2, 3]}


@pytest.fixture
def _no_figures(monkeypatch):
    """Without figures and page, which take longer than all the rest."""
    from ser.statistics.export import write_statistics

    monkeypatch.setattr("ser.stats.write_results", write_statistics)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A 2 x 2 sweep over three seeds on two corpora; hubert is better by 15 points."""

    def effect(values, _):
        return 0.15 * (values["backbone"] == "hubert")

    folder = tmp_path_factory.mktemp("sweeps") / "two"
    return write_sweep(folder, GRID, {"emodb": 6, "emovo": 5}, effect=effect, spread=(0.02, 0.03), clips=12)


@pytest.fixture
def table(tmp_path):
    """Scores of three models in two languages, five runs each, as a CSV file."""
    rng = np.random.default_rng(3)
    rows = [
        {"arch": arch, "language": language, "run": f"{arch}{language}{run}", "score": level + rng.normal(0, 0.02)}
        for arch, level in (("cnn", 0.6), ("hubert", 0.7), ("wavlm", 0.7))
        for language in ("de", "it")
        for run in range(5)
    ]
    path = tmp_path / "scores (of runs).csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


ROLES = ("response=score", "factors=[arch,language]", "statistics.draws=50")


# ---- what is written


def test_a_sweep_is_analysed_with_its_test_corpora_within_runs(tmp_path, sweep, capsys):
    found = run_stats(tmp_path / "out", f"sweep={sweep}", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    design = found["design"]
    kinds = {row["name"]: row["kind"] for row in design["factors"]}
    assert kinds == {"backbone": "between", "head": "between", "test_corpus": "within"}
    assert found["method"]["method"] == "mixed" and design["rows"] == "cells"
    assert {row["term"] for row in found["mixed"]["tests"]} >= {"backbone:head:test_corpus", "backbone"}
    assert {"runs", "counts"} <= set(found["sensitivity_contrasts"])
    decided = {(row["contrast"], row["factor"]): row["decision"] for row in found["decision"] if row["by"] is None}
    assert decided["cnn - hubert", "backbone"] == "supported" and decided["mlp - svm", "head"] != "supported"
    said = capsys.readouterr().out
    assert said.index("Design:") < said.index("Method: mixed") < said.index("cnn - hubert")
    assert "With" not in found["conclusion"][0] and "speakers and trainings like these" in " ".join(found["conclusion"])
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    wanted = {
        "statistics.json",
        "statistics.md",
        "rows.csv",
        "report.html",
        "figures/contrasts.png",
        "figures/means.svg",
    }
    assert wanted <= names and {"tables/contrasts.tex", "tables/mixed_tests.csv"} <= names
    # The sweep's own folder gets the same, and its page is written anew.
    assert json.loads((sweep / "statistics" / "statistics.json").read_text()) == found
    assert "cnn - hubert" in (sweep / "report.html").read_text()
    rows = pd.read_csv(tmp_path / "out" / "rows.csv")
    assert {"fitted", "residual"} <= set(rows) and len(rows) == design["n_rows"]


@pytest.mark.usefixtures("_no_figures")
def test_the_end_of_a_sweep_has_its_statistics(tmp_path, sweep):
    folder = tmp_path / "copy"
    write_sweep(folder, {"head": ["mlp", "svm"], "seed": [1, 2, 3]}, {"emodb": 6})
    analyse_sweep(folder, Settings(draws=0))
    assert json.loads((folder / "statistics" / "statistics.json").read_text())["design"]["n_rows"] == 36


@pytest.mark.usefixtures("_no_figures")
def test_rows_may_be_runs_or_single_clips(tmp_path, sweep):
    quiet = (f"sweep={sweep}", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    runs = run_stats(tmp_path / "1", *quiet, "statistics=runs")
    assert runs["design"]["rows"] == "runs" and runs["design"]["random"] == ["run_id"]
    clips = run_stats(tmp_path / "2", *quiet, "statistics=clips", "factors=[backbone]", "random=[speaker,run_id]")
    assert clips["mixed"]["family"] == "binomial" and clips["mixed"]["rows"] == 12 * 11 * 12
    assert [row["group"] for row in clips["mixed"]["random"]] == ["speaker", "run_id", "utterance"]
    plain = ("statistics=clips", "factors=[backbone]", "random=[run_id]", "statistics.family=gaussian")
    fast = run_stats(tmp_path / "3", *quiet, *plain)
    assert fast["mixed"]["family"] == "gaussian" and fast["mixed"]["random"][-1]["group"] == "residual"


@pytest.mark.usefixtures("_no_figures")
def test_named_random_terms_are_those_of_the_model(tmp_path, sweep):
    quiet = (f"sweep={sweep}", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    for random in ("run_id", "speaker:backbone"):
        found = run_stats(tmp_path / "out", *quiet, f"random=[{random}]")
        assert [row["group"] for row in found["mixed"]["random"]] == [random, "residual"]
        assert any("leaves out: speaker" in words for words in found["caveats"])


@pytest.mark.usefixtures("_no_figures")
def test_gaps_between_groups_of_speakers_are_measured_within_runs(tmp_path):
    folder = write_sweep(tmp_path / "loso", {"head": ["mlp", "svm"], "seed": [1, 2, 3]}, {"emodb": 8}, folds="loso")
    quiet = (f"sweep={folder}", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    found = run_stats(tmp_path / "out", *quiet, "statistics.group=gender")
    groups = found["groups"]
    assert [(row["condition"], row["n_runs"]) for row in groups["within"]] == [("mlp", 3), ("svm", 3)]
    assert groups["within"][0]["n_speakers_a"] == 4 and len(groups["between"]) == 1
    assert found["design"]["random"] == ["speaker", "speaker:head", "run_id"]  # a fold is a speaker here
    (resampled,) = found["sensitivity_contrasts"]["bootstrap"]
    assert resampled["estimate"] == pytest.approx(found["contrasts"][0]["estimate"])
    assert resampled["ci_low"] < resampled["estimate"] < resampled["ci_high"]


@pytest.mark.usefixtures("_no_figures")
def test_explanations_of_runs_go_through_the_same_stage(tmp_path):
    """Numbers without predictions: every trained run is explained in several ways, which are compared within it."""
    rng = np.random.default_rng(0)
    folder, jobs = tmp_path / "explained", []
    for number, (explainer, run) in enumerate((one, run) for one in ("gradients", "shap", "lrp") for run in range(6)):
        own = folder / str(number)
        own.mkdir(parents=True)
        level = 0.4 + 0.1 * (explainer == "lrp") + 0.02 * run
        scores = {"faithfulness/headline": level + rng.normal(0, 0.01), "faithfulness/n": 9, "localisation/iou": None}
        (own / "metrics.json").write_text(json.dumps(scores))
        (own / "config.yaml").write_text(f"choices: {{explainer: {explainer}}}\nrun: runs/{run}\n")
        values = {"explainer": explainer, "run": f"runs/{run}"}
        jobs.append(
            {"job": number, "overrides": values, "state": "finished", "run_dir": str(number), "run_id": f"e{number}"}
        )
    record = {"arguments": [], "varied": ["explainer", "run"], "search": None, "jobs": jobs}
    (folder / "sweep.json").write_text(json.dumps(record))
    found = run_stats(tmp_path / "out", f"sweep={folder}", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    assert found["design"]["response"] == "faithfulness/headline" and found["design"]["random"] == ["run"]
    assert [row["name"] for row in found["design"]["factors"]] == ["explainer"]
    assert {row["group"]: row["sd"] for row in found["mixed"]["random"]}["run"] > 0.02
    decided = {row["contrast"]: row["decision"] for row in found["decision"]}
    assert decided["gradients - lrp"] == decided["lrp - shap"] == "supported"


@pytest.mark.usefixtures("_no_figures")
def test_any_metric_of_runs_can_be_the_response(tmp_path):
    grid = {"head": ["mlp", "svm"], "seed": [1, 2, 3, 4]}
    folder = write_sweep(tmp_path / "s", grid, {"emodb": 6, "emovo": 5})
    for number, path in enumerate(sorted(folder.glob("*/metrics.json"))):
        scores = json.loads(path.read_text()) | {"explain/deletion_auc": 0.5 + 0.01 * (number * 7 % 5)}
        path.write_text(json.dumps(scores))
    quiet = (f"sweep={folder}", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    found = run_stats(tmp_path / "out", *quiet, "response=explain/deletion_auc")
    assert found["design"]["rows"] == "runs" and found["design"]["n_rows"] == 8 and found["anova"]
    by_corpus = run_stats(tmp_path / "out", *quiet, "response=f1_macro")
    assert by_corpus["design"]["n_rows"] == 16 and len(by_corpus["design"]["factors"]) == 2
    one = run_stats(tmp_path / "out", *quiet, "response=test/emovo/recall/joy")
    assert one["design"]["response"] == "test/emovo/recall/joy" and one["design"]["n_rows"] == 8


# ---- settings


@pytest.mark.usefixtures("_no_figures")
def test_one_baseline_is_compared_with_all_others(tmp_path, table):
    found = run_stats(tmp_path / "out", f"table={table}", *ROLES, "statistics.baseline=cnn")
    rows = [row for row in found["contrasts"] if row["factor"] == "arch" and row["by"] is None]
    assert [row["contrast"] for row in rows] == ["hubert - cnn", "wavlm - cnn"]
    assert {row["adjust"] for row in rows} == {"dunnett"}
    (report,) = found["baseline"]
    assert report["method"] == "mann-whitney" and report["factor"] == "arch" and report["by"] is None
    assert [test["contrast"] for test in report["tests"]] == ["hubert - cnn", "wavlm - cnn"]
    assert report["tests"][0]["n"] == 10 and "independent samples" in report["notes"][0]


@pytest.mark.usefixtures("_no_figures")
def test_contrasts_of_ones_own_and_simple_effects_on_request(tmp_path, table):
    own = "statistics.contrasts={mine:{arch:{cnn:1,hubert:-0.5,wavlm:-0.5}}}"
    found = run_stats(
        tmp_path / "out", f"table={table}", *ROLES, own, "statistics.by=[language]", "statistics.adjust=bh"
    )
    mine = next(row for row in found["contrasts"] if row["contrast"] == "mine")
    means = {row["levels"]["arch"]: row["mean"] for row in found["means"] if row["factors"] == "arch"}
    assert mine["estimate"] == pytest.approx(means["cnn"] - (means["hubert"] + means["wavlm"]) / 2)
    inside = [row for row in found["contrasts"] if row["factor"] == "arch" and row["by"] == {"language": "it"}]
    assert len(inside) == 3 and {row["adjust"] for row in found["contrasts"]} == {"bh"}
    assert {json.dumps(row["by"]) for row in found["simple_effects"]} == {'{"language": "de"}', '{"language": "it"}'}
    pairs = [row for row in found["contrasts"] if row["factor"] == "arch:language"]
    assert pairs[0]["contrast"] == "cnn - hubert : de - it"


@pytest.mark.usefixtures("_no_figures")
def test_a_formula_needs_no_further_quotes(tmp_path, table):
    found = run_stats(
        tmp_path / "out", f"table={table}", "statistics.formula=score ~ arch * language", "statistics.draws=0"
    )
    assert found["anova"][0]["formula"] == "score ~ arch * language"
    mixed = run_stats(tmp_path / "out", f"table={table}", "statistics.formula=score ~ arch + (1 | language)")
    assert mixed["mixed"]["formula"] == "score ~ arch + (1 | language)"


@pytest.mark.usefixtures("_no_figures")
def test_a_conclusion_says_where_an_interval_does_not_reach_what_matters(tmp_path, table):
    arguments = (f"table={table}", *ROLES)
    row = run_stats(tmp_path / "out", *arguments)["contrasts"][0]
    sesoi = (min(abs(row["ci_low"]), abs(row["ci_high"])) + abs(row["estimate"])) / 2
    found = run_stats(tmp_path / "out", *arguments, f"statistics.sesoi={sesoi}")
    assert found["contrasts"][0]["verdict"] == "inconclusive" and found["decision"][0]["decision"] == "supported"
    assert any("its interval does not exclude less than" in words for words in found["conclusion"])


@pytest.mark.usefixtures("_no_figures")
def test_a_smallest_difference_of_interest_tells_small_from_supported(tmp_path, table):
    def decide(sesoi):
        found = run_stats(tmp_path / "out", f"table={table}", *ROLES, f"statistics.sesoi={sesoi}")
        rows = [row for row in found["decision"] if row["factor"] == "arch"]
        return {row["contrast"]: row["decision"] for row in rows}, found["contrasts"][0]

    matters, row = decide(0.02)
    assert matters["cnn - hubert"] == "supported" and row["verdict"] == "superior"
    little, row = decide(0.3)
    assert little["cnn - hubert"] == "small" and row["verdict"] == "different but small"
    assert little["hubert - wavlm"] == "equivalent"
    none, row = decide(0)
    assert none["cnn - hubert"] == "supported" and "verdict" not in row


# ---- what is refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which scores?"),
        (["table={table}", "sweep=x"], "which scores?"),
        (["table=/nowhere.csv", "response=score", "factors=[arch]"], "no such file"),
        (["table={table}"], "what is the score"),
        (["table={table}", "response=score"], "what is the score"),
        (["table={table}", "response=points", "factors=[arch]"], "no column 'points'"),
        (["table={table}", "response=score", "factors=[art]"], "no column 'art'"),
        (["table={table}", "response=score", "factors=[arch]", "random=[speaker]"], "no column 'speaker'"),
        (["table={table}", "response=arch", "factors=[language]"], "is no number"),
        (["table={table}", "response=score", "factors=[arch]", "statistics=none"], "nothing to do"),
        (["table={table}", "response=score", "factors=[arch]", "statistics.method=magic"], "expected: auto, anova"),
        (["table={table}", "response=score", "factors=[arch]", "statistics.baseline=gpt"], "no factor has this level"),
        (["table={table}", "response=score", "factors=[arch]", "statistics.by=[speaker]"], "speaker is no factor"),
        (["table={table}", "response=score", "factors=[arch]", "statistics.group=gender"], "no such column"),
        (["table={table}", "response=score", "factors=[arch]", "statistics.family=binomial"], "independent rows"),
        (["table={table}", "response=score", "factors=[arch]", "statistics.formula=points ~ arch"], "the formula has"),
        (["table={table}", "statistics.formula=score ~ arch +* 2"], "cannot read the formula"),
        (["table={table}", "statistics.formula=score ~ art"], "no column 'art'"),
        (["table={table}", "response=score", "factors=[arch]", "statistics.contrasts={a:{arch:{cnn:1}}}"], "sum to 1"),
        (["table={table}", "score=[score]"], "nothing to compare with"),
        (["table={table}", "response=score", "factors=[arch]", "statistics.nothing=1"], "nothing"),
        (["sweep=/nowhere", "tracking.uri=sqlite:///{folder}/mlflow.db"], "no such folder"),
        (["plan"], "which scores?"),
        (["plan", "plan.run=0.01", "plan.effect=-1"], "which difference"),
    ],
)
def test_mistakes_end_with_2_and_words(tmp_path, table, capsys, arguments, words):
    filled = [item.replace("{table}", str(table)).replace("{folder}", str(tmp_path)) for item in arguments]
    assert words in refuse_stats(capsys, *filled, f"hydra.run.dir={tmp_path / 'out'}")


def test_a_sweep_without_results_is_refused(tmp_path, capsys):
    folder = write_sweep(tmp_path / "failed", {"head": ["mlp", "svm"]}, failed=(0, 1))
    assert "no run has results" in refuse_stats(capsys, f"sweep={folder}", f"hydra.run.dir={tmp_path / 'out'}")


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"arch": "cnn"}, [], "every row has arch=cnn: nothing to compare"),
        ({"score": 0.5}, [], "every score is 0.5: nothing varies"),
        ({"score": ""}, [], "none of 30 rows has a number in score"),
        ({"score": ["0.5", "oops"] * 15}, [], "'oops' in row 2 is no number"),
        ({"arch": ["", "a", "b"] * 10}, [], "some rows have no arch"),
        ({}, ["factors=[score,arch]"], "score is the response"),
        ({}, ["random=[score]"], "score is the response"),
        ({}, ["statistics.draws=many"], "statistics.draws=many"),
        ({}, ["statistics.contrasts=mine"], "statistics.contrasts=mine"),
        ({"hits": [6, 7] * 15, "n": 5}, ["response=hits", "random=[run]", "statistics.trials=n"], "such as 6 of 5"),
        ({"hits": [1, 2] * 15, "n": "few"}, ["response=hits", "random=[run]", "statistics.trials=n"], "it holds text"),
        ({"hits": [1, 2] * 15}, ["response=hits", "random=[run]", "statistics.trials=size"], "no such column"),
        ({"hits": [1, 2] * 15}, ["response=hits", "random=[run]", "statistics.trials=hits"], "it is the response"),
        ({"a": 1, "b": 2}, ["response=null", "factors=[]", "score=[a,b,c]"], "no column 'c'"),
    ],
)
def test_tables_that_bear_no_analysis_end_with_2(tmp_path, table, capsys, change, arguments, words):
    path = tmp_path / "changed.csv"
    pd.read_csv(table).assign(**change).to_csv(path, index=False)
    roles = ["response=score", "factors=[arch]", *arguments]
    said = refuse_stats(capsys, f"table={path}", *roles, f"hydra.run.dir={tmp_path / 'out'}")
    assert words in said and ("expected:" in said or "remedy:" in said)


@pytest.mark.parametrize(("text", "words"), [("", "the file is empty"), ("arch,score\n", "it has no rows")])
def test_files_without_rows_end_with_2(tmp_path, capsys, text, words):
    path = tmp_path / "none.csv"
    path.write_text(text)
    assert words in refuse_stats(capsys, f"table={path}", "response=score", "factors=[arch]")


@pytest.mark.usefixtures("_no_figures")
def test_rows_without_a_score_are_counted(tmp_path, table):
    frame = pd.read_csv(table)
    frame.loc[[0, 7], "score"] = np.nan
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    found = run_stats(tmp_path / "out", f"table={tmp_path / 'gaps.csv'}", *ROLES)
    assert "2 of 30 rows have no score and are left out" in found["caveats"] and found["design"]["n_rows"] == 28


# ---- planning


def test_a_plan_comes_from_a_sweep_or_from_numbers(tmp_path, sweep, capsys):
    out = f"hydra.run.dir={tmp_path / 'out'}"
    assert main(["stats", "plan", "plan.run=0.015", "plan.speaker_condition=0.04", "plan.residual=0.07", "plan.seeds=5",
                 "plan.speakers=[24,91]", "plan.effect=0.05", out]) == 0  # fmt: skip
    power = json.loads((tmp_path / "out" / "statistics.json").read_text())["power"]
    assert [row["speakers"] for row in power["table"]] == [24, 91] and power["effect"] == 0.05
    assert power["table"][0]["mde"] == pytest.approx(0.051, abs=0.001)  # 5.0 points in the plan of the design
    assert "24 speakers, 5 seeds" in capsys.readouterr().out
    assert main(["stats", "plan", "plan.run=0.02", "plan.seeds=[3]", out]) == 0
    assert "on fixed test speakers" in capsys.readouterr().out
    assert main(["stats", "plan", f"sweep={sweep}", "plan.speakers=10", "plan.seeds=[2]", out]) == 0
    assert "10 speakers, 2 seeds" in capsys.readouterr().out


# ---- stable keys

#: Keys whose own keys are names of levels, columns, groups or libraries.
FREE = {"by", "levels", "speakers", "cells", "empty_cells", "deterministic", "failures", "accuracy", "mean_rank"}
FREE |= {"per_run", "quantiles", "seeds_needed", "speakers_needed", "environment", "descriptives"}
FREE |= {"mixed.groups", "sensitivity", "sensitivity_contrasts"}


#: Keys that others build on, whatever else is there.
PROMISED = {
    "design": "response rows n_rows factors n_units balanced empty_cells findings",
    "anova": "type formula terms",
    "means": "factors levels mean se df ci_low ci_high",
    "contrasts": "contrast by estimate se df stat p p_adjusted adjust effect_size",
    "checks": "check statistic p",
    "decision": "contrast by decision",
    "conclusion": "",
}
PROMISED_ANOVA = "term df df_resid sum_sq F p partial_eta_sq omega_sq"
PROMISED_MIXED = {
    "": "formula family loglik converged singular fixed random tests",
    "fixed": "term estimate se df stat p ci_low ci_high",
    "random": "group term sd",
    "tests": "term df df_denom F p",
}


@pytest.mark.usefixtures("_no_figures")
def test_all_keys_are_documented_and_all_numbers_finite(tmp_path, sweep, table):
    sections = read_sections()
    quiet = (f"sweep={sweep}", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db", "statistics.group=gender")
    wide = tmp_path / "wide.csv"
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.normal(0.7, 0.05, (10, 3)).round(3), columns=["a", "b", "c"])
    scores.assign(fold=range(10)).to_csv(wide, index=False)
    sets = tmp_path / "sets.csv"
    scores.assign(dataset=[f"set{place}" for place in range(10)]).to_csv(sets, index=False)
    answers = tmp_path / "answers.csv"
    clips = {"utterance": [f"u{place}" for place in range(10)], "speaker": list("vwxyz") * 2}
    (scores > 0.7).astype(int).assign(**clips).to_csv(answers, index=False)
    columns = "score=[a,b,c]"
    everything = []
    for number, arguments in enumerate(
        [
            (*quiet, "statistics.baseline=cnn"),
            (f"table={table}", *ROLES, "statistics.baseline=cnn", "statistics.by=[language]"),
            (f"table={table}", *ROLES, "random=[language]", "statistics.method=cluster"),
            (f"table={wide}", columns),
            (f"table={sets}", columns),
            (f"table={answers}", columns),
        ]
    ):
        found = run_stats(tmp_path / str(number), *arguments)
        for key, value in found.items():
            assert key in sections, f"docs/statistics.md has no section on {key}"
            lacking = [name for name in list_keys({key: value})[1:] if f"`{name}`" not in sections[key]]
            assert not lacking, f"docs/statistics.md, {key}: {lacking}"
        assert all(math.isfinite(number) for number in list_floats(found))
        everything.append(found)
    mixed, anova, _, resampled, datasets, paired = everything
    assert mixed["mixed"]["random"][-1]["group"] == "residual"
    assert resampled["resampled"] and datasets["ranks"] and paired["paired"]
    for found in everything:
        assert set(PROMISED) | {"mixed"} <= set(found)
        for key, names in PROMISED.items():
            rows = [found[key]] if isinstance(found[key], dict) else found[key]
            assert all(set(names.split()) <= set(row) for row in rows if isinstance(row, dict)), key
    assert set(PROMISED_ANOVA.split()) <= set(anova["anova"][0]["terms"][0]) and {"type", "formula"} <= set(
        anova["anova"][0]
    )
    for key, names in PROMISED_MIXED.items():
        assert set(names.split()) <= set(mixed["mixed"][key][0] if key else mixed["mixed"]), key


def read_sections():
    """Text of the documentation of each key of statistics.json, by key."""
    parts = re.split(r"^### ", DOCS.read_text(), flags=re.MULTILINE)[1:]
    return {name: part for part in parts for name in re.findall(r"`(\w+)(?:\[\])?`", part.partition("\n")[0])}


def list_keys(value, name="", above=""):
    """All keys in a value, the outermost first, but for those that are names."""
    if isinstance(value, list):
        return list(dict.fromkeys(key for item in value for key in list_keys(item, name, above)))
    if not isinstance(value, dict):
        return []
    own = [] if {name, f"{above}.{name}"} & FREE else list(value)
    return list(dict.fromkeys([*own, *(key for part, item in value.items() for key in list_keys(item, part, name))]))


def list_floats(value):
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, float) else [number for item in items for number in list_floats(item)]


def test_every_setting_is_documented():
    text = DOCS.read_text()
    assert not [
        name for name in compose(stage="stats").statistics if not name.startswith("_") and f"`{name}`" not in text
    ]
