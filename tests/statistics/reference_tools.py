"""Reads the reference results of R, and asks a fitted model what R's output names."""

import json
import os
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FIXTURES = Path(__file__).parent / "fixtures"


def find_folder(kind, name):
    """A reference file: among the fixtures, else in SER_STATS_REFERENCE or beside SER_DATA; skips without it."""
    roots = [FIXTURES]
    if os.environ.get("SER_STATS_REFERENCE"):
        roots.append(Path(os.environ["SER_STATS_REFERENCE"]))
    if os.environ.get("SER_DATA"):
        roots.append(Path(os.environ["SER_DATA"]).parent / "stats-reference")
    for root in roots:
        if (root / kind / name).is_file():
            return root / kind / name
    pytest.skip(f"needs {kind}/{name} of the reference results: set SER_STATS_REFERENCE")


def read_data(name):
    return pd.read_csv(find_folder("data", f"{name}.csv"))


def read_expected(name):
    return json.loads(find_folder("expected", f"{name}.json").read_text())


def close(value, expected, rel=0.0, absolute=0.0):
    """Whether a value meets a tolerance; null of R is NaN or infinite degrees of freedom here."""
    if expected is None:
        return not np.isfinite(value)
    return abs(value - expected) <= max(absolute, rel * abs(expected))


def check_means(rows, expected, rel, rel_se, rel_df, mean="emmean"):
    """Compare marginal means with a table of emmeans; the factor columns are what is no statistic there."""
    assert len(rows) == len(expected)
    for want in expected:
        row = find_cell(rows, want)
        if want.get(mean) is None:
            assert not row["estimable"] and np.isnan(row["mean"])
            continue
        assert close(row["mean"], want[mean], rel, 1e-9), (row, want)
        assert close(row["se"], want["SE"], rel_se), (row, want)
        assert close(row["df"], want["df"], rel_df), (row, want)
        low, high = want.get("lower.CL", want.get("asymp.LCL")), want.get("upper.CL", want.get("asymp.UCL"))
        assert close(row["ci_low"], low, rel, 3 * rel_se * want["SE"]), (row, want)
        assert close(row["ci_high"], high, rel, 3 * rel_se * want["SE"]), (row, want)


def find_cell(rows, want):
    """The row of the cell that an expected row names."""
    return next(row for row in rows if all(str(want[name]) == level for name, level in row["levels"].items()))


def check_pairs(rows, expected, means, rel, rel_se, rel_df, rel_p):
    """Compare unadjusted pair contrasts with emmeans; returns the rows in R's order, signs as R has them."""
    by = [name for name in expected[0] if name in (rows[0]["by"] or {})]
    ordered = []
    for want in expected:
        one, two = (re.sub(r"[ ,]+", " ", part.strip()) for part in want["contrast"].split(" - "))
        same_group = [row for row in rows if all(str(want[name]) == row["by"][name] for name in by)]
        row = next(row for row in same_group if {row["contrast"]} <= {f"{one} - {two}", f"{two} - {one}"})
        sign = 1 if row["contrast"] == f"{one} - {two}" else -1
        ordered.append(row)
        if want["estimate"] is None:
            assert not row["estimable"]
            continue
        stat = want.get("t.ratio", want.get("z.ratio"))
        assert close(sign * row["estimate"], want["estimate"], rel, rel * want["SE"] * 10 + 1e-9), (row, want)
        assert close(row["se"], want["SE"], rel_se), (row, want)
        assert close(row["df"], want["df"], rel_df), (row, want)
        assert close(sign * row["stat"], stat, rel_se * 2 + rel, 1e-6 + 10 * rel), (row, want)
        assert close(row["p"], want["p.value"], rel_p, 1e-12), (row, want)
        assert np.sign(row["stat"]) == np.sign(row["estimate"])
    return ordered


def find_treatment_row(fit, name):
    """Row of a coefficient of R's treatment coding (``archw2v:pftnone``): differences from the first levels."""
    base = {factor: levels[0] for factor, levels in fit.factors.items()}
    base |= dict.fromkeys(fit.problem.matrix.covariates, 0.0)
    if name == "(Intercept)":
        return fit.build_row(base)
    changes = dict(_find_change(fit, part) for part in name.split(":"))
    row = np.zeros(len(fit.beta))
    for size in range(len(changes) + 1):
        for chosen in combinations(changes, size):
            sign = (-1) ** (len(changes) - size)
            row += sign * fit.build_row(base | {factor: changes[factor] for factor in chosen})
    return row


def _find_change(fit, part):
    for factor, levels in fit.factors.items():
        for level in levels:
            if part == f"{factor}{level}":
                return factor, level
    return part, 1.0


def fit_plain(table, response, factors, terms=None):
    """Least squares as a LinearFit, in few lines of its own."""
    from ser.statistics import linear

    matrix = linear.build_matrix(table, factors, terms)
    x, y = matrix.coded, table[response].to_numpy(dtype=float)
    null = linear.find_null_space(x)
    df = len(y) - (x.shape[1] - null.shape[1])
    inverse = np.linalg.pinv(x.T @ x, rcond=1e-9, hermitian=True)
    beta = inverse @ (x.T @ y)
    variance = ((y - x @ beta) ** 2).sum() / df
    return linear.LinearFit(
        formula=linear.write_formula(response, matrix.terms[1:]),
        response=response,
        factors=matrix.factors,
        names=matrix.names,
        beta=beta,
        vcov=variance * inverse,
        find_df=lambda rows: df,
        build_row=matrix.build_row,
        terms=matrix.terms[1:],
        columns=matrix.columns,
        information=x.T @ x,
        null_space=null,
        scale=float(np.sqrt(variance)),
    )
