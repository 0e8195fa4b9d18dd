"""Model matrices of factorial designs, coded sum-to-zero.

With this coding a coefficient set to zero means "no effect averaged over the other factors with equal weight", which is
what Type III tests, and the mean of a factor's columns over its levels is zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import combinations

import numpy as np
import pandas as pd

from ser.errors import InputError

#: Singular values below this share of the largest count as zero.
RANK = 1e-9
#: The row of the intercept.
ONE = np.ones(1)


@dataclass
class ModelMatrix:
    """Fixed part of a model, sum-to-zero coded.

    ``coded`` [N, P]; ``names`` and ``columns`` (term -> places) describe its columns, ``factors`` the sorted levels,
    ``covariates`` the means of numeric columns, ``plain`` [N, P] the same columns in R's treatment coding (first level
    is the reference) with their names ``plain_names`` as R writes them.
    """

    factors: dict[str, list[str]]
    covariates: dict[str, float]
    terms: list[tuple[str, ...]]
    names: list[str]
    columns: dict[str, list[int]]
    coded: np.ndarray
    plain: np.ndarray
    plain_names: list[str]

    def build_row(self, levels: Mapping[str, str | float]) -> np.ndarray:
        """Row [P] at the given factor levels; what is left out is averaged over (covariates: at their mean).

        Raises InputError for a level or a name that the model does not have.
        """
        parts: dict[str, np.ndarray] = {}
        for name, known in self.factors.items():
            codes = code_levels(len(known))
            level = levels.get(name)
            parts[name] = codes.mean(0) if level is None else codes[find_level(name, level, known)]
        for name, mean in self.covariates.items():
            parts[name] = np.array([float(levels.get(name, mean))])
        unknown = [name for name in levels if name not in parts]
        if unknown:
            raise InputError(f"the model has no factor {unknown[0]}", expected=f"one of {', '.join(parts)}")
        # As _cross, for one row: the first factor varies fastest.
        crossed = [
            reduce(lambda row, part: np.outer(part, row).ravel(), (parts[name] for name in term), ONE)
            for term in self.terms
        ]
        return np.concatenate(crossed)


def cross_factors(factors: Sequence[str], order: int | None = None) -> list[tuple[str, ...]]:
    """All terms of the factors up to interactions of ``order`` (all, by default), main effects first."""
    order = len(factors) if order is None else order
    return [term for size in range(1, order + 1) for term in combinations(factors, size)]


def name_term(term: Iterable[str]) -> str:
    """Name of a term: its factors joined by ``:``."""
    return ":".join(term)


def sort_levels(column: pd.Series) -> list[str]:
    """Levels of a column as text: numbers by value, anything else by its text."""
    values = column.dropna().unique()
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return [str(value) for value in sorted(values)]
    return sorted(str(value) for value in values)


def find_level(factor: str, level: object, known: Sequence[str]) -> int:
    """Place of a level among those of its factor; InputError if it is none of them."""
    if str(level) not in known:
        raise InputError(f"{factor} has no level {level}", expected=f"one of {', '.join(known)}")
    return list(known).index(str(level))


@cache
def code_levels(count: int, treatment: bool = False) -> np.ndarray:
    """Codes [count, count - 1] of a factor's levels: sum-to-zero, or treatment with the first level as reference."""
    if treatment:
        return np.eye(count)[:, 1:]
    return np.vstack([np.eye(count - 1), -np.ones(count - 1)])


def build_matrix(
    table: pd.DataFrame,
    factors: Sequence[str],
    terms: Sequence[Sequence[str]] | None = None,
    covariates: Sequence[str] = (),
) -> ModelMatrix:
    """Model matrix of a table (N rows without missing values in these columns), with an intercept.

    Args:
        table: one row per observation.
        factors: categorical columns.
        terms: effects and interactions by column name; all interactions of the factors (and the covariates' slopes)
            when not given.
        covariates: numeric columns that enter with a slope.

    Raises:
        InputError: a factor with one level, a term of unknown columns, an interaction without its marginal terms.
    """
    given = [tuple(term) for term in terms] if terms is not None else cross_factors(factors)
    if terms is None:
        given += [(name,) for name in covariates]
    ordered: list[tuple[str, ...]] = [(), *given]
    levels = {name: sort_levels(table[name]) for name in factors}
    _check_terms(ordered, levels, covariates)
    sums, plains, labels = {}, {}, {}
    for name, known in levels.items():
        places = table[name].map(str).map({level: place for place, level in enumerate(known)}).to_numpy()
        sums[name], plains[name] = code_levels(len(known))[places], code_levels(len(known), True)[places]
        labels[name] = ([f"{name}[{level}]" for level in known[:-1]], [f"{name}{level}" for level in known[1:]])
    for name in covariates:
        sums[name] = plains[name] = table[name].to_numpy(dtype=float)[:, None]
        labels[name] = ([name], [name])
    rows = len(table)
    blocks = [_cross([sums[name] for name in term], rows) for term in ordered]
    ends = np.cumsum([block.shape[1] for block in blocks])
    return ModelMatrix(
        factors=levels,
        covariates={name: float(table[name].mean()) for name in covariates},
        terms=ordered,
        names=[label for term in ordered for label in _cross_labels([labels[name][0] for name in term])],
        columns={
            name_term(term): list(range(end - block.shape[1], end))
            for term, block, end in zip(ordered, blocks, ends, strict=True)
            if term
        },
        coded=np.hstack(blocks),
        plain=np.hstack([_cross([plains[name] for name in term], rows) for term in ordered]),
        plain_names=[label for term in ordered for label in _cross_labels([labels[name][1] for name in term])],
    )


def keep_complete(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """The rows that have a value in every column; InputError for a column the table lacks or if no row is left."""
    wanted = list(dict.fromkeys(columns))
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise InputError(
            f"the table has no column {missing[0]}", expected=f"one of {', '.join(map(str, table.columns))}"
        )
    kept = table.dropna(subset=wanted)
    if kept.empty:
        raise InputError(f"no row has a value in every one of {', '.join(wanted)}")
    return kept.reset_index(drop=True)


def find_null_space(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal directions [P, K] of the coefficients that the rows [N, P] do not determine; K is 0 at full rank."""
    gram = matrix.T @ matrix
    values, vectors = np.linalg.eigh(gram / np.trace(gram))
    return vectors[:, values < RANK * values[-1]]


def find_basis(columns: np.ndarray) -> np.ndarray:
    """Directions [P, R] of the coefficients that the columns [N, P] determine; the identity at full rank."""
    null = find_null_space(columns)
    if not null.shape[1]:
        return np.eye(columns.shape[1])
    return np.linalg.svd(null)[0][:, null.shape[1] :]


def keep_estimable(plain: np.ndarray) -> list[int]:
    """Places of the columns that are no combination of the ones before them, as R keeps them."""
    kept: list[int] = []
    basis = np.zeros((len(plain), 0))
    for place, column in enumerate(plain.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        norm = float(np.linalg.norm(rest))
        if norm > 1e-7 * float(np.linalg.norm(column)):
            kept.append(place)
            basis = np.column_stack([basis, rest / norm])
    return kept


def write_formula(response: str, terms: Sequence[Sequence[str]], random: Iterable[str] = ()) -> str:
    """The model as R writes it: ``y ~ a * b + c + (1 | g)``."""
    names = list(dict.fromkeys(name for term in terms for name in term))
    full = len(names) > 1 and len(terms) == 2 ** len(names) - 1
    fixed = [" * ".join(names)] if full else [name_term(term) for term in terms]
    return f"{response} ~ {' + '.join([*(fixed or ['1']), *random])}"


def _cross(parts: list[np.ndarray], rows: int) -> np.ndarray:
    """Row-wise products [N, K] of coded columns, the first factor varying fastest; ones [N, 1] of no parts."""
    crossed = np.ones((rows, 1))
    for part in parts:
        crossed = np.einsum("na,nb->nba", crossed, part).reshape(rows, -1)
    return crossed


def _cross_labels(parts: list[list[str]]) -> list[str]:
    """Names of the columns of :func:`_cross`."""
    labels = [""]
    for part in parts:
        labels = [f"{label}:{name}" if label else name for name in part for label in labels]
    return labels if parts else ["(Intercept)"]


def _check_terms(
    terms: Sequence[tuple[str, ...]], levels: Mapping[str, Sequence[str]], covariates: Sequence[str]
) -> None:
    """Refuse factors with one level, unknown names, and interactions that lack one of their parts."""
    for name, known in levels.items():
        if len(known) < 2:
            raise InputError(f"{name} has one level ({', '.join(known) or 'none'})", remedy="leave it out")
    sets = [frozenset(term) for term in terms]
    for term in terms:
        unknown = [name for name in term if name not in levels and name not in covariates]
        if unknown:
            raise InputError(f"the term {name_term(term)} names {unknown[0]}, which is no factor or covariate")
        for size in range(1, len(term)):
            missing = [part for part in combinations(term, size) if frozenset(part) not in sets]
            if missing:
                raise InputError(
                    f"the model has {name_term(term)} but not {name_term(missing[0])}",
                    expected="every interaction together with its parts",
                )
