"""Tables as files: numbers as papers write them, nothing lost on the way, text that no format takes for markup."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from statistics_tools import FORMULA, make_contrast, make_ranks, make_rows, make_statistics

from ser.statistics.export import lay_out, read_statistics, write_statistics
from ser.statistics.export.markup import escape_latex, write_latex, write_markdown
from ser.statistics.export.numbers import choose_decimals, show_df, show_fixed, show_p, show_significant
from ser.statistics.export.sheets import guess_columns, make_column, make_sheet


def find_sheet(statistics, name):
    return next(sheet for sheet in lay_out(statistics) if sheet.name == name)


def read_row(sheet, place=0):
    return dict(zip(sheet.columns, (cell.text for cell in sheet.rows[place]), strict=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0004, "< .001"), (0.001, ".001"), (0.0344, ".034"), (0.5, ".500"), (0.9997, "> .999"), (1.0, "1"), (None, "–")],
)
def test_p_values_are_written_as_in_papers(value, text):
    assert show_p(value) == text


def test_numbers_have_the_digits_that_their_errors_allow():
    assert [choose_decimals([error]) for error in (0.0123, 0.5, 4.0, 40.0, 1e-9)] == [3, 2, 1, 0, 6]
    assert choose_decimals([None, 0.0, float("nan")]) == 3
    assert show_fixed(-0.0001, 3) == "0.000" and show_fixed(float("nan"), 2) == "–"
    assert [show_df(value) for value in (9.0000004, 25.366, float("inf"), None)] == ["9", "25.4", "–", "–"]
    assert [show_significant(value) for value in (0.0123456, 12345.6, 1e-7, 0)] == [
        "0.01235",
        "12,346",
        "1.000e-07",
        "0.000",
    ]


def test_tables_are_laid_out_in_the_order_of_reading():
    names = [sheet.name for sheet in lay_out(make_statistics())]
    assert names == [
        "descriptives",
        "anova_type2",
        "anova_type3",
        "mixed_tests",
        "mixed_random",
        "mixed_fixed",
        "means",
        "contrasts",
        "contrasts_runs",
        "contrasts_clips",
        "tests_runs",
        "power",
        "checks",
        "decision",
    ]


def test_a_contrast_is_shown_with_what_was_decided_on_it():
    sheet = find_sheet(make_statistics(), "contrasts")
    row = read_row(sheet)
    assert row["estimate"] == "-0.050" and row["95 % CI"] == "[-0.077, -0.023]" and row["df"] == "10.0"
    assert (
        row["p"] == "< .001" and row["p (Holm)"] == ".034" and row["decision"] == "sensitive" and row["within"] == "–"
    )
    assert read_row(sheet, 1)["within"] == "arch=cnn" and read_row(sheet, 1)["decision"] == "–"
    clips = find_sheet(make_statistics(), "contrasts_clips")
    assert {"log odds", "z", "odds ratio"} <= set(clips.columns) and "df" not in clips.columns


def test_intervals_are_named_by_their_level():
    statistics = make_statistics() | {"settings": {"alpha": 0.1}}
    assert "90 % CI" in find_sheet(statistics, "contrasts").columns
    assert "95 % CI" in find_sheet(statistics, "means").columns  # which the settings do not change


def test_anova_shows_what_there_is_and_omega_first_with_few_degrees_of_freedom():
    sheet = find_sheet(make_statistics(), "anova_type2")
    assert sheet.columns.index("partial ω²") < sheet.columns.index("partial η²")
    assert "p (perm.)" not in sheet.columns  # NaN in every row
    row = read_row(sheet)
    assert (
        row["F"] == "12.35"
        and row["SS"] == "0.01230"
        and row["90 % CI"] == "[0.100, 0.500]"
        and row["sensitive"] == "no"
    )
    single = make_statistics() | {"anova": make_statistics()["anova"][:1]}
    assert find_sheet(single, "anova").caption == "Analysis of variance, Type II: uar ~ arch * aug"


def test_means_say_what_they_are_averaged_over():
    sheet = find_sheet(make_statistics(), "means")
    assert sheet.columns[:2] == ("arch", "aug")
    assert [cell.text for cell in sheet.rows[0][:2]] == ["cnn", "all"] and sheet.rows[2][1].text == "none"


def test_several_mixed_models_have_tables_each():
    fit = make_statistics()["mixed"]
    names = {sheet.name for sheet in lay_out({"mixed": [fit, fit]})}
    assert names == {f"mixed{place}_{part}" for place in ("", "_2") for part in ("tests", "random", "fixed")}


def test_everything_is_written_and_can_be_read_again(tmp_path):
    rows = make_rows().assign(aug="none")
    statistics = make_statistics()
    written = write_statistics(tmp_path, statistics, rows)
    assert all(path.is_file() for path in written) and len(written) == 3 + 3 * 14
    text = (tmp_path / "statistics.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["sensitivity_contrasts"]["clips"][0]["df"] is None
    again, read = read_statistics(tmp_path)
    assert again["mixed"]["formula"] == FORMULA
    assert list(read["speaker"].unique()) == ["00", "01", "02", "03", "04", "05"] and set(read["aug"]) == {"none"}
    np.testing.assert_allclose(read[["uar", "fitted", "residual"]], rows[["uar", "fitted", "residual"]])
    summary = (tmp_path / "statistics.md").read_text()
    assert summary.index("cnn is <worse>") < summary.index("six speakers") < summary.index("## Evidence")


def test_csv_files_hold_the_numbers_in_full(tmp_path):
    write_statistics(tmp_path, make_statistics())
    table = pd.read_csv(tmp_path / "tables" / "contrasts.csv")
    assert table["stat"].tolist() == [-0.05 / 0.0123, 0.01 / 0.0123] and table["p"].tolist() == [0.0004] * 2
    assert table["by"].tolist()[1] == "arch=cnn"
    means = pd.read_csv(tmp_path / "tables" / "means.csv")
    assert {"arch", "aug", "mean", "ci_low"} <= set(means) and "levels" not in means


def test_tables_of_an_earlier_analysis_go(tmp_path):
    write_statistics(tmp_path, make_statistics())
    write_statistics(tmp_path, make_ranks())
    names = {path.stem for path in (tmp_path / "tables").iterdir()}
    assert names == {"ranks", "rank_omnibus", "rank_pairs"}


def test_nothing_to_say_makes_no_tables(tmp_path):
    written = write_statistics(tmp_path, {"conclusion": ["Nothing was tested."], "mixed": None, "groups": None})
    assert [path.name for path in written] == ["statistics.json", "statistics.md"]
    assert read_statistics(tmp_path / "nowhere")[0] == {}


def test_latex_is_escaped_and_has_a_cell_for_every_column():
    rows = [
        {"arch": r"a_b & 50 % {x}\y ~^|<", "mean": -0.123, "sd": 0.01},
        {"arch": "[emodb,emovo]", "mean": 1.0, "sd": 0.01},
    ]
    columns = [make_column("arch", "text"), make_column("χ²", "estimate", "mean")]
    text = write_latex(make_sheet("odd_name", "100 % of a_b", columns, rows, "design"))
    body = re.search(r"\\midrule\n(.*)\n    \\bottomrule", text, re.DOTALL)[1].splitlines()
    assert all(len(re.findall(r"(?<!\\)&", line)) == 1 and line.endswith(r"\\") for line in body)
    assert r"a\_b \& 50 \% \{x\}\textbackslash{}y \textasciitilde{}\textasciicircum{}\textbar{}$<$" in body[0]
    assert "$-$0.123" in body[0] and body[1].strip().startswith("{[}emodb")  # no option of the line before
    assert r"\caption{100 \% of a\_b}" in text and r"\label{tab:odd-name}" in text and r"$\chi^2$" in text
    assert r"\begin{tabular}{lr}" in text and text.count("{") == text.count("}")
    assert escape_latex("p < .001 – ∞") == r"p $<$ .001 -- $\infty$"


def test_markdown_escapes_what_divides_its_cells():
    rows = [{"formula": "y ~ (1 | speaker)", "p": 0.0001}]
    text = write_markdown(
        make_sheet("x", "Caption", [make_column("formula", "text"), make_column("p", "p")], rows, "design")
    )
    assert text.splitlines()[2:] == ["| formula | p |", "| --- | ---: |", r"| y ~ (1 \| speaker) | < .001 |"]


def test_rows_that_nothing_is_known_of_get_columns_by_their_values():
    rows = [
        {"gap": "f - m", "n_runs": 3, "p": 0.0001, "ci": [0.1, 0.2], "x": 0.12345, "per_run": {"a": 1}, "notes": []}
    ]
    columns = {column.title: column.kind for column in guess_columns(rows)}
    assert columns == {"gap": "text", "n runs": "count", "p": "p", "interval": "interval", "x": "size"}
    sheet = find_sheet({"groups": {"within": rows, "metric": "uar"}}, "groups_within")
    assert read_row(sheet)["interval"] == "[0.100, 0.200]" and "per_run" in sheet.raw[0]


def test_ranks_pairs_and_folds_have_tables():
    ranks = {sheet.name: sheet for sheet in lay_out(make_ranks())}
    assert [row[0].text for row in ranks["ranks"].rows] == ["wavlm", "hubert", "cnn", "whisper"]
    assert read_row(ranks["rank_pairs"])["p (Nemenyi)"] == ".020"
    pair = {
        "mcnemar": {
            "a": "m1",
            "b": "m2",
            "n10": 31,
            "n01": 44,
            "difference": -0.063,
            "ci": [-0.1, 0.02],
            "p_exact": 0.1,
        }
    }
    speakers = {"macro": {"estimate": -0.06, "ci": [-0.2, 0.1], "p": 0.3}, "sign_flip": {"p": 0.25}, "n_speakers": 7}
    paired = {"pairs": [{**pair, **speakers}], "p_exact_holm": [0.3]}
    found = {sheet.name: sheet for sheet in lay_out({"paired": paired})}
    assert read_row(found["paired"])["95 % CI"] == "[-0.100, 0.020]" and read_row(found["paired"])["p (Holm)"] == ".300"
    assert read_row(found["paired_speakers"])["p (sign flips)"] == ".250"
    test = {"mean": 0.01, "se": 0.02, "df": 9.0, "t": 0.5, "p": 0.105, "ci": [-0.01, 0.03]}
    folds = [
        {"a": "m1", "b": "m2", "n": 10, "mean_difference": 0.01, "corrected": test, "naive": {**test, "p": 0.0001}}
    ]
    row = read_row(find_sheet({"resampled": folds}, "resampled"))
    assert row["p"] == ".105" and row["p (uncorrected)"] == "< .001" and row["df"] == "9"


def test_missing_values_of_a_contrast_are_dashes():
    nan = float("nan")
    lost = make_contrast("arch", "cnn - wav_2", nan, ci_low=nan, ci_high=nan, p=nan, estimable=False)
    row = read_row(find_sheet({"contrasts": [lost, make_contrast("arch", "x - y", 0.1)]}, "contrasts"))
    assert row["estimate"] == row["95 % CI"] == row["p"] == "–"
