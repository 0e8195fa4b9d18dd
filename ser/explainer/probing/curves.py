"""What k dimensions know: the most important, all others, the least important, or any k of them.

Rankings are made on a fold's training clips, so that a dimension is never chosen by a clip that it is scored on. The
whole curve is reported; where one size is needed, inner folds choose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ser.explainer.evaluation.planted import find_auroc
from ser.explainer.probing.classify import Limits, classify, mark_classes
from ser.explainer.probing.rank import combine_classes, rank_coefficients, sort_dimensions
from ser.explainer.probing.ridge import ALPHAS, Division, Solution, Solver, turn
from ser.explainer.probing.scores import HeldOut

ARMS = ("top", "rest", "bottom")
#: Smallest number of dimensions.
SMALLEST = 8
#: Random choices that the penalties and thresholds of all random choices of a size are found on.
PILOTS = 10


def list_sizes(dims: int) -> list[int]:
    """Numbers of dimensions: powers of 2 from :data:`SMALLEST` (1 where there are few), and all."""
    first = SMALLEST if dims > 2 * SMALLEST else 1
    powers = [first * 2**step for step in range(int(np.log2(max(dims / first, 1))) + 1)]
    return [*(size for size in powers if size < dims), dims]


def pick_arm(order: np.ndarray, size: int, arm: str) -> np.ndarray:
    """Dimensions of an arm, from all [D], the most important first."""
    return {"top": order[:size], "rest": order[size:], "bottom": order[-size:]}[arm]


@dataclass(frozen=True, eq=False)
class Point:
    """What a choice of dimensions says of a fold's test rows.

    Attributes:
        tested: probes of all targets.
        scores: of the classes [M, K].
    """

    tested: HeldOut
    scores: np.ndarray


def make_point(
    values: np.ndarray, dims: np.ndarray, division: Division, targets: np.ndarray, classes: np.ndarray
) -> Point:
    """Probe and classify by some dimensions of values [N, D]."""
    solver = Solver(values[:, dims], division)
    return Point(
        make_tested(solver, solver.solve(targets), targets), classify(solver, classes, classes.max() + 1).scores
    )


def make_tested(solver: Solver, solution: Solution, targets: np.ndarray) -> HeldOut:
    """Predictions of test rows beside the truth [N, T], both less the training mean."""
    rows = solver.division.test
    true = solver.adjust(targets, solver.division.train)[rows]
    return HeldOut(rows, true - solution.mean, solution.predicted - solution.mean)


def make_points(
    values: np.ndarray,
    order: np.ndarray,
    division: Division,
    targets: np.ndarray,
    classes: np.ndarray,
    sizes: Sequence[int],
) -> dict[tuple[str, int], Point]:
    """Points of a fold by arm and size; those of all dimensions only as ``top``."""
    wanted = [(arm, size) for arm in ARMS for size in sizes if size < len(order)] + [("top", len(order))]
    return {
        (arm, size): make_point(values, pick_arm(order, size, arm), division, targets, classes) for arm, size in wanted
    }


def choose_sizes(
    values: np.ndarray, solver: Solver, classes: np.ndarray, alpha: float, sizes: Sequence[int]
) -> list[int]:
    """For all classes together, then for each, the least number of top dimensions with the best AUROC on inner folds.

    Inner folds rank dimensions anew by their own fitting rows. The penalty is that of the classifier on all dimensions,
    in proportion to how many there are.
    """
    count, dims = classes.max() + 1, values.shape[1]
    marks = mark_classes(classes, solver.division.train, count)
    found = np.zeros((1 + count, len(sizes)))
    for fit, check, basis, _ in solver.steps:
        turned, _ = turn(basis, marks[fit])
        weights = np.abs(basis.find_weights(turned, np.full(count, alpha)).T)
        orders = sort_dimensions(combine_classes(weights))
        inner = Division("", fit, check, ())
        for row, order in enumerate(orders):
            for column, size in enumerate(sizes):
                short = Solver(values[:, order[:size]], inner, [alpha * size / dims])
                scores = short.fit(marks, np.full(count, alpha * size / dims)).predicted
                found[row, column] += score_ranks(scores, classes[check], range(count) if row == 0 else [row - 1])
    return [sizes[place] for place in found.argmax(1)]


def score_ranks(scores: np.ndarray, true: np.ndarray, numbers: Sequence[int]) -> float:
    """Mean AUROC of classes by scores [M, K]; 0.5 of a class that does not occur."""
    found = [find_auroc(scores[:, number], true == number) for number in numbers]
    return float(np.mean(np.nan_to_num(found, nan=0.5)))


def rank_by_classifier(
    values: np.ndarray, division: Division, classes: np.ndarray, sizes: Sequence[int]
) -> tuple[np.ndarray, list[int]]:
    """Importance [1 + K, D] of dimensions to a fold's classifier, and the number of them that inner folds choose."""
    solver = Solver(values, division)
    found = classify(solver, classes, classes.max() + 1)
    importance = combine_classes(rank_coefficients(solver, found.solution))
    return importance, choose_sizes(values, solver, classes, float(found.solution.alphas[0]), sizes)


@dataclass(frozen=True, eq=False)
class Chance:
    """What random dimensions say of a fold's test rows, by size.

    Attributes:
        errors: squared errors of the probes, summed over the rows [draws, T].
        joint: confusion counts [draws, K, K].
        single: of each class against the others [draws, K, 2, 2].
    """

    errors: np.ndarray
    joint: np.ndarray
    single: np.ndarray


def draw_chance(
    values: np.ndarray,
    division: Division,
    targets: np.ndarray,
    classes: np.ndarray,
    sizes: Sequence[int],
    draws: int,
    seed: Sequence[int],
) -> dict[int, Chance]:
    """Probe and classify by random dimensions.

    Penalties and thresholds are those that inner folds choose for the first :data:`PILOTS` draws together: draws of a
    size are alike, and to choose for each of them would take four times as long.
    """
    return {size: draw_size(values, division, targets, classes, size, draws, seed) for size in sizes}


def draw_size(
    values: np.ndarray,
    division: Division,
    targets: np.ndarray,
    classes: np.ndarray,
    size: int,
    draws: int,
    seed: Sequence[int],
) -> Chance:
    """Random dimensions of one size."""
    rng = np.random.default_rng([*seed, size])
    chosen = [np.sort(rng.choice(values.shape[1], size, replace=False)) for _ in range(draws)]
    count = classes.max() + 1
    alphas, alpha, limits = tune(values, division, targets, classes, chosen[:PILOTS])
    marks, plain = mark_classes(classes, division.train, count), replace(division, inner=())
    errors, scores = [], []
    for dims in chosen:
        solver = Solver(values[:, dims], plain)
        tested = make_tested(solver, solver.fit(targets, alphas), targets)
        errors.append(((tested.true - tested.predicted) ** 2).sum(0))
        scores.append(limits.apply(solver.fit(marks, np.full(count, alpha)).predicted))
    joint, single = count_draws(np.stack(scores), classes[division.test])
    return Chance(np.stack(errors), joint, single)


def tune(
    values: np.ndarray, division: Division, targets: np.ndarray, classes: np.ndarray, pilots: Sequence[np.ndarray]
) -> tuple[np.ndarray, float, Limits]:
    """Penalty of each target [T], that of the classifier, and its thresholds, for some choices together."""
    errors, missed = np.zeros((len(ALPHAS), targets.shape[1])), np.zeros(len(ALPHAS))
    limits = []
    marks = mark_classes(classes, division.train, classes.max() + 1)
    for dims in pilots:
        solver = Solver(values[:, dims], division)
        errors, missed = errors + solver.measure(targets), missed + solver.measure(marks).mean(1)
        limits.append(classify(solver, classes, classes.max() + 1).limits)
    alphas = np.asarray(ALPHAS)
    means = (np.mean([getattr(each, name) for each in limits], axis=0) for name in ("middle", "spread"))
    return alphas[np.argmin(errors, axis=0)], float(alphas[np.argmin(missed)]), Limits(*means)


def count_draws(scores: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confusion counts [draws, K, K] and [draws, K, 2, 2] of scores [draws, M, K]."""
    draws, _, count = scores.shape
    joint = np.zeros((draws, count, count), dtype=np.int64)
    np.add.at(joint, (np.arange(draws)[:, None], np.tile(true, (draws, 1)), scores.argmax(2)), 1)
    single = np.zeros((draws, count, 2, 2), dtype=np.int64)
    which = np.broadcast_to(np.arange(count), scores.shape)
    own = np.broadcast_to((true[:, None] == np.arange(count)) + 0, scores.shape)
    np.add.at(single, (np.arange(draws)[:, None, None], which, own, (scores > 0) + 0), 1)
    return joint, single
