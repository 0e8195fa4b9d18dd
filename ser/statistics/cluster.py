"""Linear-probability and logit models with cluster-robust covariance: the fallback when a mixed model does not fit.

CR0 is the plain sandwich, CR1 the same times S / (S - 1) * (N - 1) / (N - P), CR2 the bias-reduced one (Bell &
McCaffrey 2002): unbiased when rows are independent with equal variance. With few clusters normal quantiles reject 10 to
30 % of true hypotheses. So CR2 tests use Satterthwaite degrees of freedom and, for several coefficients at once,
approximate Hotelling's T² (HTZ; Pustejovsky & Tipton 2018); CR0 and CR1 tests use t and F with S - 1.

Clusters of speakers ignore that rows of one training run belong together; a claim about new training runs needs a model
with runs, or :func:`ser.statistics.paired.bootstrap_two_way`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ser.errors import InputError
from ser.statistics.linear import (
    RANK,
    LinearFit,
    ModelMatrix,
    TermTest,
    build_matrix,
    find_hypothesis,
    find_null_space,
    reduce_rows,
    tabulate_coefficients,
    write_formula,
)
from ser.statistics.records import to_json

CORRECTIONS = ("CR0", "CR1", "CR2")
#: Fitted logits beyond this mean that a cell is all right or all wrong.
SEPARATION = 8.0


@dataclass(frozen=True)
class ClusterParts:
    """Per cluster, what covariances and degrees of freedom need; M is the inverse of X'X.

    ``scores`` [S, P] are X_j'e_j, ``adjusted`` [S, P] the same with CR2's A_j between, ``cross`` [S, P, P] X_j'A_j X_j,
    ``square`` [S, P, P] X_j'A_j A_j X_j, ``inverse`` [P, P] M.
    """

    scores: np.ndarray
    adjusted: np.ndarray
    cross: np.ndarray
    square: np.ndarray
    inverse: np.ndarray


@dataclass(kw_only=True)
class ClusterFit(LinearFit):
    """A model with cluster-robust covariance.

    Attributes:
        cluster: column of the clusters.
        n_clusters: S.
        n_rows: N.
        correction: CR0, CR1 or CR2.
        parts: pieces per cluster; CR2 needs them for its degrees of freedom.
        matrix: the model matrix.
        notes: what the reader must know.
    """

    cluster: str
    n_clusters: int
    n_rows: int
    correction: str
    parts: ClusterParts
    matrix: ModelMatrix
    notes: tuple[str, ...] = ()

    def test_terms(self, rows: np.ndarray) -> TermTest:
        """Test that all combinations [Q, P] are zero: HTZ with CR2, else F on Q and S - 1."""
        rows = reduce_rows(np.atleast_2d(rows))
        nan = float("nan")
        count = len(rows)
        if not count or not self.is_estimable(rows) or count >= self.n_clusters:
            return TermTest(count, nan, nan, nan)
        estimate = rows @ self.beta
        value = float(estimate @ np.linalg.solve(rows @ self.vcov @ rows.T, estimate)) / count
        df = self.find_df(rows)
        if self.correction == "CR2":
            value *= max(df, 0.0) / (df + count - 1)
        p = float(special.fdtrc(count, df, value)) if df > 0 else nan
        return TermTest(count, float(df), float(value), p)

    def describe(self) -> dict[str, Any]:
        """Coefficients in R's treatment coding and Type II tests, ready for JSON."""
        return {
            "formula": self.formula,
            "link": self.link,
            "cluster": self.cluster,
            "n_clusters": self.n_clusters,
            "n_rows": self.n_rows,
            "correction": self.correction,
            "fixed": to_json(tabulate_coefficients(self, self.matrix)),
            "tests": to_json(tabulate_tests(self)),
            "notes": list(self.notes),
        }


def fit_cluster(
    table: pd.DataFrame,
    response: str,
    factors: Sequence[str],
    cluster: str,
    terms: Sequence[Sequence[str]] | None = None,
    covariates: Sequence[str] = (),
    link: str = "identity",
    correction: str = "CR2",
) -> ClusterFit:
    """Fit by least squares (``identity``) or as a logit model, with cluster-robust covariance.

    Args:
        table: N rows, e.g. one per run and utterance.
        response: a number; 0 to 1 for logit.
        factors, terms, covariates: the fixed part, see :func:`ser.statistics.linear.build_matrix`.
        cluster: column of the clusters, e.g. the speaker.
        link: ``identity`` or ``logit``.
        correction: CR0, CR1 or CR2. For logit models CR2 works on the rows weighted by the square root of their
            variance, where least squares and the model agree.

    Raises:
        InputError: missing values, fewer than two clusters, an unknown link or correction, separation (logit).
    """
    if correction not in CORRECTIONS:
        raise InputError(f"unknown correction {correction}", expected=f"one of {', '.join(CORRECTIONS)}")
    _check_table(table, [response, cluster, *factors, *covariates])
    matrix = build_matrix(table, factors, terms, covariates)
    values, y = matrix.coded, table[response].to_numpy(dtype=float)
    labels, places = np.unique(table[cluster].astype(str).to_numpy(), return_inverse=True)
    if len(labels) < 2:
        raise InputError(f"{cluster} has one value", expected="two or more clusters")
    if link == "identity":
        beta = np.linalg.pinv(values, rcond=RANK) @ y
        weighted, residuals = values, y - values @ beta
    elif link == "logit":
        beta = _fit_logit(values, y)
        share = special.expit(values @ beta)
        root = np.sqrt(share * (1 - share))
        weighted, residuals = values * root[:, None], (y - share) / root
    else:
        raise InputError(f"unknown link {link}", expected="identity or logit")
    parts = split_clusters(weighted, residuals, places)
    return _finish(matrix, table, response, cluster, beta, parts, weighted.T @ weighted, link, correction)


def fit_gee(
    table: pd.DataFrame,
    response: str,
    factors: Sequence[str],
    cluster: str,
    terms: Sequence[Sequence[str]] | None = None,
    covariates: Sequence[str] = (),
) -> ClusterFit:
    """Logit model by generalized estimating equations with independent working correlation (statsmodels).

    The estimate and the covariance are those of a logit model with CR0; tests use t and F with S - 1. Arguments and
    errors as in :func:`fit_cluster`.
    """
    import statsmodels.api as sm

    fit = fit_cluster(table, response, factors, cluster, terms, covariates, "logit", "CR0")
    matrix = build_matrix(table, factors, terms, covariates)
    if fit.null_space is not None and fit.null_space.shape[1]:
        raise InputError("GEE needs every combination of levels to be observed", remedy="leave the interaction out")
    codes = np.unique(table[cluster].astype(str).to_numpy(), return_inverse=True)[1]
    model = sm.GEE(
        table[response].to_numpy(dtype=float),
        matrix.coded,
        groups=codes,
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Independence(),
    )
    result = model.fit(maxiter=200, ctol=1e-10)
    fit.beta, fit.vcov = np.asarray(result.params), np.asarray(result.cov_robust)
    return fit


def split_clusters(values: np.ndarray, residuals: np.ndarray, places: np.ndarray) -> ClusterParts:
    """Pieces of the covariance from rows [N, P] and residuals [N] of least squares, and the cluster 0..S-1 of each row.

    A_j is the inverse square root of I - X_j M X_j' [n_j, n_j]. With the thin factorization X_j = Q R it differs from I
    only within Q, so that nothing larger than P by P is decomposed.
    """
    inverse = np.linalg.pinv(values.T @ values, rcond=RANK, hermitian=True)
    scores, adjusted, cross, square = [], [], [], []
    for place in range(int(places.max()) + 1):
        own = places == place
        q, r = np.linalg.qr(values[own])
        leverage, vectors = np.linalg.eigh(r @ inverse @ r.T)
        rest = 1 - leverage
        # A direction that the cluster alone determines has no residual; the pseudo-inverse leaves it out.
        root = np.where(rest > 1e-12, np.abs(np.where(rest > 1e-12, rest, 1.0)) ** -0.5, 0.0)
        turned = vectors.T @ r
        fitted = q.T @ residuals[own]
        scores.append(r.T @ fitted)
        adjusted.append(turned.T @ (root * (vectors.T @ fitted)))
        cross.append(turned.T @ (root[:, None] * turned))
        square.append(turned.T @ (root[:, None] ** 2 * turned))
    return ClusterParts(np.array(scores), np.array(adjusted), np.array(cross), np.array(square), inverse)


def estimate_covariance(parts: ClusterParts, correction: str, rows: int, rank: int) -> np.ndarray:
    """Covariance [P, P] of the coefficients; N rows and the rank of the model matrix count for CR1."""
    scores = parts.adjusted if correction == "CR2" else parts.scores
    covariance = parts.inverse @ (scores.T @ scores) @ parts.inverse
    if correction == "CR1":
        size = len(scores)
        covariance *= size / (size - 1) * (rows - 1) / (rows - rank)
    return covariance


def find_wishart_df(parts: ClusterParts, rows: np.ndarray) -> float:
    """Degrees of freedom of the Wishart distribution nearest to CR2's covariance of combinations [Q, P].

    For one combination these are Satterthwaite's. Independent rows with equal variance are assumed; the total variance
    is matched (HTZ).
    """
    left = rows @ parts.inverse
    own = np.einsum("qp,jpr,sr->jqs", left, parts.square, left)
    shared = np.einsum("qp,jpr->jqr", left, parts.cross)
    middle = np.einsum("jqp,pr->jqr", shared, parts.inverse)
    size, count = len(own), len(rows)
    expected = own.sum(0) - np.einsum("jqr,jsr->qs", middle, shared)
    sizes, vectors = np.linalg.eigh(expected)
    if sizes[0] <= RANK * sizes[-1]:
        return float("nan")
    root = vectors @ np.diag(sizes**-0.5) @ vectors.T
    own = root @ own @ root
    shared, middle = root @ shared, root @ middle
    total = 0.0
    for place in range(size):
        # Covariance [S, Q, Q] of this cluster's term with those of all clusters.
        pieces = -np.einsum("qr,jsr->jqs", middle[place], shared)
        pieces[place] += own[place]
        total += (np.einsum("jqq->j", pieces) ** 2).sum() + np.einsum("jqs,jsq->", pieces, pieces)
    return count * (count + 1) / total


def tabulate_tests(fit: ClusterFit, kind: int = 2) -> list[dict[str, object]]:
    """Type II or III test of every term: rows of term, df, df_denom, F, p."""
    tests = {term: fit.test_terms(find_hypothesis(fit, term, kind)) for term in fit.columns}
    return [{"term": term, **test._asdict()} for term, test in tests.items()]


def test_treatment(fit: ClusterFit, term: str) -> TermTest:
    """Joint test of a term's coefficients in R's treatment coding, as in ``clubSandwich::Wald_test``.

    A main effect with an interaction in the model is the effect at the first level of the other factors.
    """
    change = np.linalg.lstsq(fit.matrix.plain, fit.matrix.coded, rcond=None)[0]
    return fit.test_terms(change[fit.columns[term]])


# ---- small things


def _finish(
    matrix: ModelMatrix,
    table: pd.DataFrame,
    response: str,
    cluster: str,
    beta: np.ndarray,
    parts: ClusterParts,
    information: np.ndarray,
    link: str,
    correction: str,
) -> ClusterFit:
    """Put the fit together."""
    null_space = find_null_space(matrix.coded)
    size, rows = len(parts.scores), len(table)

    def find_df(combinations: np.ndarray) -> float:
        if correction != "CR2":
            return float(size - 1)
        reduced = np.atleast_2d(combinations)
        return find_wishart_df(parts, reduced) - len(reduced) + 1

    notes = ["rows of one training run are taken as independent given the cluster"]
    if size < 40:
        notes.append(f"{size} clusters: normal quantiles would reject too often, so t and F are used")
    return ClusterFit(
        formula=write_formula(response, [term for term in matrix.terms if term]),
        response=response,
        factors=matrix.factors,
        names=matrix.names,
        beta=beta,
        vcov=estimate_covariance(parts, correction, rows, len(beta) - null_space.shape[1]),
        find_df=find_df,
        build_row=matrix.build_row,
        link=link,
        terms=[term for term in matrix.terms if term],
        columns=matrix.columns,
        information=information,
        null_space=null_space,
        cluster=cluster,
        n_clusters=size,
        n_rows=rows,
        correction=correction,
        parts=parts,
        matrix=matrix,
        notes=tuple(notes),
    )


def _fit_logit(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Maximum-likelihood coefficients [P] of a logit model."""
    import warnings

    import statsmodels.api as sm

    if not ((y >= 0) & (y <= 1)).all():
        raise InputError("a logit model needs a response between 0 and 1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = sm.GLM(y, values, family=sm.families.Binomial()).fit(maxiter=100, tol=1e-12)
    beta = np.asarray(result.params)
    if not np.isfinite(beta).all() or np.abs(values @ beta).max() > SEPARATION:
        raise InputError(
            "perfect separation: in some cell all answers are right or all are wrong",
            remedy="use the linear model of speaker-by-run cells",
        )
    return beta


def _check_table(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse missing columns and values."""
    for column in columns:
        if column not in table:
            raise InputError(f"the table has no column {column}", expected=f"one of {', '.join(map(str, table))}")
        if table[column].isna().any():
            raise InputError(f"{column} has missing values", remedy="leave these rows out")
