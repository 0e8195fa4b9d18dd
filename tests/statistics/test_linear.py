import numpy as np
import pandas as pd
import pytest
from reference_tools import close, fit_plain, read_data, read_expected

from ser.errors import InputError
from ser.statistics import linear

FACTORIAL = [
    ("toothgrowth", "len", ["supp", "dose"]),
    ("warpbreaks", "breaks", ["wool", "tension"]),
    ("runs_balanced", "uar", ["arch", "pft", "aug", "dataset"]),
    ("runs_unbalanced", "uar", ["arch", "pft", "aug"]),
]


@pytest.mark.parametrize(("name", "response", "factors"), FACTORIAL)
def test_terms_equal_car(name, response, factors):
    fit, expected = fit_plain(read_data(name), response, factors), read_expected(f"{name}_anova")
    for kind, key in ((2, "type2"), (3, "type3_sum_contrasts")):
        wanted = {row["term"]: row for row in expected[key]}
        for row in linear.tabulate_terms(fit, kind):
            want = wanted[row["term"]]
            assert row["df"] == want["Df"] and row["df_denom"] == expected["df_resid"]
            assert close(row["F"], want["F value"], 1e-7) and close(row["p"], want["Pr(>F)"], 1e-6)


def test_terms_of_a_blocked_design():
    expected = read_expected("runs_balanced_seed_block_anova")
    factors = ["arch", "pft", "aug", "dataset"]
    terms = [("seed",), *linear.cross_factors(factors)]
    fit = fit_plain(read_data("runs_balanced"), "uar", ["seed", *factors], terms)
    wanted = {row["term"]: row for row in expected["type3_sum_contrasts"]}
    for row in linear.tabulate_terms(fit, 3):
        assert close(row["F"], wanted[row["term"]]["F value"], 1e-7)


def test_missing_cell():
    fit, expected = (
        fit_plain(read_data("runs_missing_cell"), "uar", ["arch", "pft"]),
        read_expected("runs_missing_cell_anova"),
    )
    wanted = {row["term"]: row for row in expected["type2"]}
    for row in linear.tabulate_terms(fit, 2):
        want = wanted[row["term"]]
        assert row["df"] == want["Df"]
        assert close(row["F"], want["F value"], 1e-7) and close(row["p"], want["Pr(>F)"], 1e-6)
    with pytest.raises(InputError, match="every combination"):
        linear.tabulate_terms(fit, 3)


def test_coefficients_as_r_prints_them():
    table = read_data("runs_unbalanced")
    factors = ["arch", "pft", "aug"]
    rows = linear.tabulate_coefficients(fit_plain(table, "uar", factors), linear.build_matrix(table, factors))
    expected = read_expected("runs_unbalanced_anova")["coef_treatment"]
    assert [row["term"] for row in rows] == [want["term"] for want in expected]
    for row, want in zip(rows, expected, strict=True):
        assert close(row["estimate"], want["Estimate"], 1e-7)
        assert close(row["se"], want["Std. Error"], 1e-7)
        assert close(row["p"], want["Pr(>|t|)"], 1e-6)


def test_rows_are_averaged_over_what_is_left_out():
    table = read_data("runs_unbalanced")
    matrix = linear.build_matrix(table, ["arch", "pft", "aug"])
    level = matrix.factors["arch"][0]
    cells = [
        matrix.build_row({"arch": level, "pft": pft, "aug": aug})
        for pft in matrix.factors["pft"]
        for aug in matrix.factors["aug"]
    ]
    np.testing.assert_allclose(matrix.build_row({"arch": level}), np.mean(cells, axis=0), atol=1e-15)
    first = table.iloc[0]
    row = matrix.build_row({name: first[name] for name in matrix.factors})
    np.testing.assert_array_equal(row, matrix.coded[0])


def test_levels_are_sorted_by_value():
    assert linear.sort_levels(pd.Series([10, 9, 100])) == ["9", "10", "100"]
    assert linear.sort_levels(pd.Series(["b", "a", None])) == ["a", "b"]
    assert linear.sort_levels(pd.Series([True, False])) == ["False", "True"]


def test_what_a_matrix_refuses():
    table = pd.DataFrame({"a": ["x", "y", "x"], "b": ["u", "u", "u"], "y": [1.0, 2.0, 3.0]})
    with pytest.raises(InputError, match="b has one level"):
        linear.build_matrix(table, ["a", "b"])
    with pytest.raises(InputError, match="has a:b but not"):
        linear.build_matrix(table.assign(b=["u", "v", "v"]), ["a", "b"], [("a",), ("a", "b")])
    with pytest.raises(InputError, match="no factor or covariate"):
        linear.build_matrix(table, ["a"], [("a",), ("c",)])
    with pytest.raises(InputError, match="no column z"):
        linear.keep_complete(table, ["z"])
    with pytest.raises(InputError, match="a has no level q"):
        linear.build_matrix(table, ["a"]).build_row({"a": "q"})


def test_formula_is_written_as_r_does():
    full = linear.cross_factors(["a", "b"])
    assert linear.write_formula("y", full, ["(1 | g)"]) == "y ~ a * b + (1 | g)"
    assert linear.write_formula("y", [("a",), ("b",)]) == "y ~ a + b"
    assert linear.write_formula("y", []) == "y ~ 1"
