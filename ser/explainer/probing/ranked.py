"""What the most important dimensions of a layer encode, against all others and against any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.explainer.probing.classify import Counts, classify, count_hits, find_uar
from ser.explainer.probing.controls import permute_targets
from ser.explainer.probing.curves import (
    Chance,
    Point,
    choose_sizes,
    draw_chance,
    list_sizes,
    make_points,
    pick_arm,
)
from ser.explainer.probing.encoded import Encoded
from ser.explainer.probing.head import EmbeddingHead
from ser.explainer.probing.material import LayerVectors, Material
from ser.explainer.probing.rank import (
    combine_classes,
    expect_overlap,
    measure_stability,
    overlap_ranks,
    rank_coefficients,
    rank_permutations,
    sort_dimensions,
)
from ser.explainer.probing.ridge import Division, Solver
from ser.explainer.probing.scores import HeldOut, find_limits, find_max_t, find_r2, resample, score, sum_moments
from ser.metrics import DRAWS, uar

if TYPE_CHECKING:
    from ser.explainer.probing.probing import Probing

#: What the ranking of all classes together is called.
JOINT = "all"


@dataclass(frozen=True, eq=False)
class Ranked:
    """Tables: a row a ranking and target; a point of a curve; a dimension's rank; a pair of views."""

    top: pd.DataFrame
    curves: pd.DataFrame
    ranks: pd.DataFrame
    agreement: pd.DataFrame


@dataclass(frozen=True, eq=False)
class FoldRanking:
    """Dimensions of a fold by importance.

    Attributes:
        orders: for all classes together and each, the most important first, by view [1 + K, D].
        sizes: numbers of dimensions that inner folds choose [1 + K].
        points: for each of the 1 + K rankings.
        chance: random dimensions by number.
    """

    orders: dict[str, np.ndarray]
    sizes: list[int]
    points: list[dict[tuple[str, int], Point]]
    chance: dict[int, Chance]


def probe_ranked(choice: Probing, material: Material, layer: LayerVectors, encoded: Encoded) -> Ranked:
    """Rank, choose, probe and classify in every fold; then put the folds together."""
    sizes = list_sizes(len(layer.names))
    heads: Sequence[EmbeddingHead | None] = encoded.heads or [None] * len(material.divisions)
    folds = [
        rank_fold(choice, material, vectors, solver, head, sizes, place)
        for place, (vectors, solver, head) in enumerate(zip(layer.vectors, encoded.solvers, heads, strict=True))
    ]
    names = [JOINT, *material.emotions]
    tops = [tabulate_top(choice, material, layer, encoded, folds, row, name) for row, name in enumerate(names)]
    curves = [row for number, name in enumerate(names) for row in trace(material, folds, sizes, number, name)]
    return Ranked(
        pd.concat(tops, ignore_index=True).assign(layer=layer.number),
        pd.DataFrame(curves).assign(layer=layer.number),
        tabulate_ranks(layer, folds, names),
        pd.DataFrame(list(compare_views(folds, names, sizes, len(layer.names)))).assign(layer=layer.number),
    )


def rank_fold(
    choice: Probing,
    material: Material,
    vectors: np.ndarray,
    solver: Solver,
    head: EmbeddingHead | None,
    sizes: Sequence[int],
    place: int,
) -> FoldRanking:
    """Rankings of a fold by its training clips, and what their parts say of its test clips."""
    classes, division, targets = material.classes, solver.division, material.targets.numbers
    found = classify(solver, classes, len(material.emotions)).solution
    views = {
        "coefficient": rank_coefficients(solver, found),
        "permutation": rank_permutations(solver, found, vectors, classes, material.speakers),
    }
    if head is not None:
        views["relevance"] = find_relevance(head, vectors, division)
    orders = {name: sort_dimensions(combine_classes(values)) for name, values in views.items()}
    return FoldRanking(
        orders,
        choose_sizes(vectors, solver, classes, float(found.alphas[0]), sizes),
        [make_points(vectors, order, division, targets, classes, sizes) for order in orders["coefficient"]],
        draw_chance(vectors, division, targets, classes, sizes[:-1], choice.draws, (choice.seed, place)),
    )


def find_relevance(head: EmbeddingHead, vectors: np.ndarray, division: Division) -> np.ndarray:
    """Mean over training clips of |gradient of a class's margin times deviation from the mean| [K, D]."""
    values = vectors[division.train].astype(np.float64)
    moved = values - values.mean(0)
    return np.stack(
        [np.abs(head.differentiate(values, number) * moved).mean(0) for number in range(len(head.emotions))]
    )


def tabulate_top(
    choice: Probing,
    material: Material,
    layer: LayerVectors,
    encoded: Encoded,
    folds: Sequence[FoldRanking],
    row: int,
    name: str,
) -> pd.DataFrame:
    """A row a target: what the dimensions that matter to a class say of it, beside all and as many random ones."""
    targets, speakers = material.targets.numbers, material.speakers
    tested = HeldOut.join([fold.points[row]["top", fold.sizes[row]].tested for fold in folds])
    top, whole = score(tested, speakers), score(encoded.tested, speakers)
    solvers = [
        Solver(vectors[:, fold.orders["coefficient"][row, : fold.sizes[row]]], division)
        for fold, vectors, division in zip(folds, layer.vectors, material.divisions, strict=True)
    ]
    permuted = permute_targets(solvers, targets, material.cells, choice.permutations, choice.seed)
    _, p, p_max = find_max_t(top.r2, permuted)
    total = sum_moments(tested, speakers).sum(0)[3]
    errors = [fold.chance[fold.sizes[row]].errors if fold.sizes[row] in fold.chance else None for fold in folds]
    drawn = np.stack([fill_errors(each, fold, row) for each, fold in zip(errors, folds, strict=True)]).sum(0)
    random = 1 - drawn / total
    spread = random.std(0, ddof=1)
    return pd.DataFrame(
        {
            "emotion": name,
            "target": material.targets.names,
            "group": material.targets.groups,
            "dims": float(np.median([fold.sizes[row] for fold in folds])),
            "r_top": top.r,
            "r_top_low": top.r_interval[0],
            "r_top_high": top.r_interval[1],
            "r_all": whole.r,
            "r2_top": top.r2,
            "r2_top_low": top.r2_interval[0],
            "r2_top_high": top.r2_interval[1],
            "r2_all": whole.r2,
            "r2_random": random.mean(0),
            "specificity_z": np.divide(
                top.r2 - random.mean(0), spread, out=np.full(len(spread), np.nan), where=spread > 0
            ),
            "p_random": (1 + (random >= top.r2).sum(0)) / (len(random) + 1),
            "r2_permuted": permuted.mean(0),
            "p": p,
            "p_max": p_max,
        }
    )


def fill_errors(errors: np.ndarray | None, fold: FoldRanking, row: int) -> np.ndarray:
    """Squared errors [draws, T] of random dimensions; those of all dimensions where a fold chose all."""
    if errors is not None:
        return errors
    draws = len(next(iter(fold.chance.values())).errors)
    tested = fold.points[row]["top", fold.sizes[row]].tested
    return np.tile(((tested.true - tested.predicted) ** 2).sum(0), (draws, 1))


def trace(
    material: Material, folds: Sequence[FoldRanking], sizes: Sequence[int], row: int, name: str
) -> Iterator[dict[str, object]]:
    """Points of the curves of a ranking: UAR of its class against the others (of all classes), and mean R2."""
    for arm, size in folds[0].points[row]:
        points = [fold.points[row][arm, size] for fold in folds]
        tested = HeldOut.join([point.tested for point in points])
        counts = count_hits(
            [(point.tested.rows, point.scores) for point in points], material.classes, material.speakers
        )
        value, low, high = find_uar(pick_counts(counts, row))
        sums = sum_moments(tested, material.speakers)
        yield {
            **{"emotion": name, "arm": arm, "dims": size, "uar": value, "uar_low": low, "uar_high": high},
            **describe_mean(sums),
        }
    for size in sizes[:-1]:
        chance = [fold.chance[size] for fold in folds]
        joint = np.sum([each.joint if row == 0 else each.single[:, row - 1] for each in chance], axis=0)
        total = sum_moments(HeldOut.join([fold.points[0]["top", size].tested for fold in folds]), material.speakers)
        r2 = (1 - np.sum([each.errors for each in chance], axis=0) / total.sum(0)[3]).mean(1)
        found = uar(joint)
        yield {
            **{"emotion": name, "arm": "random", "dims": size, "uar": float(found.mean())},
            **dict(zip(("uar_low", "uar_high"), np.quantile(found, [0.025, 0.975]), strict=True)),
            **{"r2": float(r2.mean())},
            **dict(zip(("r2_low", "r2_high"), np.quantile(r2, [0.025, 0.975]), strict=True)),
        }


def pick_counts(counts: Counts, row: int) -> np.ndarray:
    """Confusion counts [S, …] of all classes, or of one against the others."""
    return counts.joint if row == 0 else counts.single[row - 1]


def describe_mean(sums: np.ndarray) -> dict[str, float]:
    """Mean R2 over targets with its interval over speakers, from sums [S, 7, T]."""
    low, high = find_limits(resample(sums, DRAWS)[0].mean(1))
    return {"r2": float(find_r2(sums.sum(0)).mean()), "r2_low": float(low), "r2_high": float(high)}


def tabulate_ranks(layer: LayerVectors, folds: Sequence[FoldRanking], names: Sequence[str]) -> pd.DataFrame:
    """Mean rank (1: most important) over folds of every dimension, for each ranking and view."""
    tables = []
    for view in folds[0].orders:
        places = np.mean([np.argsort(fold.orders[view], axis=1) + 1 for fold in folds], axis=0)
        for name, row in zip(names, places, strict=True):
            tables.append(pd.DataFrame({"emotion": name, "view": view, "dimension": layer.names, "rank": row}))
    return pd.concat(tables, ignore_index=True).assign(layer=layer.number)


def compare_views(
    folds: Sequence[FoldRanking], names: Sequence[str], sizes: Sequence[int], dims: int
) -> Iterator[dict[str, object]]:
    """Rank-biased overlap of views within folds, and of folds within views; stability of the top dimensions."""
    views, expected = list(folds[0].orders), expect_overlap(dims)
    size = sizes[len(sizes) // 2]
    for row, name in enumerate(names):
        for place, one in enumerate(views):
            for other in views[place + 1 :]:
                found = [overlap_ranks(fold.orders[one][row], fold.orders[other][row]) for fold in folds]
                yield {"emotion": name, "what": "views", "one": one, "other": other, "overlap": np.mean(found)}
            pairs = [
                overlap_ranks(a.orders[one][row], b.orders[one][row])
                for number, a in enumerate(folds)
                for b in folds[number + 1 :]
            ]
            stable = measure_stability([pick_arm(fold.orders[one][row], size, "top") for fold in folds], dims)
            own = {"emotion": name, "what": "folds", "one": one, "other": one, "dims": size, "stability": stable}
            yield {**own, "overlap": np.mean(pairs) if pairs else np.nan, "by_chance": expected}
