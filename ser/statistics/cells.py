"""The cells of a factorial design: how many rows each combination of levels has, and what can be done without some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import stats

from ser.statistics.matrix import build_matrix, cross_factors, find_null_space, sort_levels

#: Interactions of a model whose order is not given: of two factors, of three in balanced designs with so many rows.
ORDER, ORDER_BALANCED, ROWS_BALANCED = 2, 3, 5
#: Empty cells that a message names before it only counts.
NAMED = 8
#: Subsets of levels that are tried one by one in search of the largest complete part.
SUBSETS = 20_000


@dataclass(frozen=True)
class Completeness:
    """What the rows of a design can tell: the rank of its model matrix against its columns.

    Attributes:
        columns, rank: of the model matrix.
        empty_cells: combinations of levels without a row, of every highest interaction in the model.
        undetermined: terms of which the rows determine only a part or nothing.
        order: highest order of interactions that is complete; 0 if not even the main effects are.
        levels: levels of every factor in the largest part in which every combination has rows.
    """

    columns: int
    rank: int
    empty_cells: tuple[dict[str, str], ...]
    undetermined: tuple[str, ...]
    order: int
    levels: dict[str, list[str]]

    @property
    def complete(self) -> bool:
        """Whether the rows determine every coefficient."""
        return self.rank == self.columns

    def explain(self) -> str:
        """What is missing, in words; empty for a complete design."""
        if self.complete:
            return ""
        lost = f"{self.rank} of {self.columns} coefficients can be estimated ({', '.join(self.undetermined)} not fully)"
        if not self.empty_cells:
            return f"{lost}: factors change together"
        cells = [", ".join(f"{name}={level}" for name, level in cell.items()) for cell in self.empty_cells]
        more = f" and {len(cells) - NAMED} more" if len(cells) > NAMED else ""
        return f"no run with {'; '.join(cells[:NAMED])}{more}: {lost}"


# ---- terms


def list_terms(
    table: pd.DataFrame,
    factors: Sequence[str],
    interactions: int | None = None,
    blocks: Sequence[str] = (),
    terms: Sequence[Sequence[str]] | None = None,
) -> list[tuple[str, ...]]:
    """Terms of a model, blocks first: the given ones, or all interactions up to an order (:func:`choose_order`)."""
    own = [(name,) for name in blocks]
    if terms is None:
        order = choose_order(table, factors, blocks) if interactions is None else interactions
        return own + cross_factors(factors, order)
    asked = [tuple(term) for term in terms]
    return [term for term in own if term not in asked] + asked


def choose_order(table: pd.DataFrame, factors: Sequence[str], blocks: Sequence[str] = ()) -> int:
    """Highest order of interactions that a design bears when none is asked for.

    Two; three where all cells have the same five or more rows; less where the model would leave no error.
    """
    counts = count_cells(table, factors)
    rich = counts.min() == counts.max() and counts.min() >= ROWS_BALANCED
    order = min(ORDER_BALANCED if rich else ORDER, len(factors))
    spent = sum(table[name].nunique() - 1 for name in blocks)
    while order > 1:
        matrix = build_matrix(table, factors, cross_factors(factors, order)).coded
        if np.linalg.matrix_rank(matrix) + spent < len(table):
            break
        order -= 1
    return order


# ---- missing combinations


def check_rank(
    table: pd.DataFrame, factors: Sequence[str], terms: Sequence[Sequence[str]], blocks: Sequence[str] = ()
) -> Completeness:
    """Compare the rank of a design with its columns and, if it falls short, find what can be done.

    Args:
        table: one row per run.
        factors: columns whose effects are asked for.
        terms: of the model, blocks among them (:func:`list_terms`).
        blocks: columns that enter as main effects only.
    """
    matrix = build_matrix(table, [*blocks, *factors], terms)
    null_space = find_null_space(matrix.coded)
    columns = matrix.coded.shape[1]
    largest = max(map(len, terms), default=0)
    if not null_space.shape[1]:
        return Completeness(columns, columns, (), (), largest, {name: matrix.factors[name] for name in factors})
    highest = [term for term in terms if not any(set(term) < set(other) for other in terms)]
    shares = {name: np.abs(null_space[places]).max() for name, places in matrix.columns.items()}
    orders = (order for order in range(largest, 0, -1) if _is_complete(table, factors, order, blocks))
    return Completeness(
        columns=columns,
        rank=columns - null_space.shape[1],
        empty_cells=tuple(cell for term in highest for cell in find_empty_cells(table, term)),
        undetermined=tuple(name for name, share in shares.items() if share > 1e-6),
        order=next(orders, 0),
        levels=find_complete_levels(table, factors),
    )


def find_empty_cells(table: pd.DataFrame, factors: Sequence[str]) -> list[dict[str, str]]:
    """Combinations of the factors' levels that no row has."""
    levels = [sort_levels(table[name]) for name in factors]
    seen = set(table[list(factors)].astype(str).itertuples(index=False, name=None))
    return [dict(zip(factors, cell, strict=True)) for cell in product(*levels) if cell not in seen]


def find_complete_levels(table: pd.DataFrame, factors: Sequence[str]) -> dict[str, list[str]]:
    """Levels of each factor such that every combination has rows.

    Of all such parts the one that keeps most factors at two or more levels, then most combinations, then most rows.
    """
    counts = count_cells(table, factors)
    levels = [sort_levels(table[name]) for name in factors]
    # The factor with most levels keeps whatever the subset chosen of the others allows.
    free = int(np.argmax(counts.shape))
    others = [place for place in range(counts.ndim) if place != free]
    choices = [_list_subsets(counts.shape[place]) for place in others]
    if np.prod([float(len(choice)) for choice in choices]) > SUBSETS:
        return _drop_levels(counts, factors, levels)
    moved = np.moveaxis(counts, free, -1)
    best: tuple[tuple[int, int, int], list[tuple[int, ...]]] = ((-1, 0, 0), [])
    for chosen in product(*choices):
        part = moved[np.ix_(*chosen, range(moved.shape[-1]))].reshape(-1, moved.shape[-1])
        kept = tuple(np.flatnonzero((part > 0).all(0)).tolist())
        sizes = [*map(len, chosen), len(kept)]
        score = (sum(size > 1 for size in sizes), int(np.prod(sizes)), int(part[:, kept].sum()))
        if kept and score > best[0]:
            best = (score, [*chosen, kept])
    places = dict(zip([*others, free], best[1], strict=False))
    return {name: [levels[place][i] for i in places[place]] for place, name in enumerate(factors)}


def keep_levels(table: pd.DataFrame, levels: Mapping[str, Sequence[str]]) -> tuple[pd.DataFrame, list[str]]:
    """Rows whose factors are at these levels, and the factors that still have two or more."""
    inside = np.logical_and.reduce([table[name].astype(str).isin(list(known)) for name, known in levels.items()])
    return table[inside].reset_index(drop=True), [name for name, known in levels.items() if len(known) > 1]


def describe_levels(levels: Mapping[str, Sequence[str]]) -> str:
    """Levels in words: ``arch=cnn|hubert, pft=none``."""
    return ", ".join(f"{name}={'|'.join(known)}" for name, known in levels.items())


# ---- counts


def expand_cells(cells: pd.DataFrame, mean: str, sd: str, rows: int, ddof: int = 1) -> pd.DataFrame:
    """Scores that have exactly the means and standard deviations of a published table of cells.

    Args:
        cells: one row per cell; its other columns are kept.
        mean, sd: columns of means and standard deviations; replaced by the column ``score``.
        rows: scores in every cell, spread like a normal sample.
        ddof: 1 if the SD divides by rows - 1, 0 if by rows.
    """
    sample = stats.norm.ppf((np.arange(rows) + 0.5) / rows)
    sample /= sample.std(ddof=ddof)
    long = cells.loc[cells.index.repeat(rows)].reset_index(drop=True)
    scores = long[mean].to_numpy() + long[sd].to_numpy() * np.tile(sample, len(cells))
    return long.drop(columns=[mean, sd]).assign(score=scores)


def count_cells(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Rows of every combination of values, an axis for each column."""
    levels = [sort_levels(table[name]) for name in columns]
    found = table[list(columns)].astype(str).value_counts()
    index = pd.MultiIndex.from_product(levels, names=list(columns))
    return found.reindex(index, fill_value=0).to_numpy().reshape([*map(len, levels)])


def number_cells(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Number [N] of each row's combination of values; 0 for all rows without columns."""
    if not columns:
        return np.zeros(len(table), dtype=int)
    return table.groupby(list(columns), observed=True).ngroup().to_numpy()


def _is_complete(table: pd.DataFrame, factors: Sequence[str], order: int, blocks: Sequence[str]) -> bool:
    """Whether the rows determine all interactions up to an order."""
    terms = list_terms(table, factors, order, blocks)
    return not find_null_space(build_matrix(table, [*blocks, *factors], terms).coded).shape[1]


def _list_subsets(count: int) -> list[tuple[int, ...]]:
    """All non-empty subsets of 0 .. count - 1."""
    return [each for size in range(1, count + 1) for each in combinations(range(count), size)]


def _drop_levels(counts: np.ndarray, factors: Sequence[str], levels: list[list[str]]) -> dict[str, list[str]]:
    """Leave out the level with the largest share of empty cells, again and again, until none is empty."""
    kept = [list(range(size)) for size in counts.shape]
    while (part := counts[np.ix_(*kept)] == 0).any():
        shares = [
            (part.mean(axis=tuple(axis for axis in range(part.ndim) if axis != own)).tolist(), own)
            for own in range(part.ndim)
        ]
        share, own = max(((max(share), own) for share, own in shares if len(kept[own]) > 1))
        kept[own].pop(shares[own][0].index(share))
    return {name: [levels[place][i] for i in kept[place]] for place, name in enumerate(factors)}
