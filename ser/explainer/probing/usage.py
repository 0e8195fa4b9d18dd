"""Whether a head uses what an embedding encodes: its margins along the probe's direction, and without it.

Directions are learnt within class and speaker, since the direction of a cue that goes with the label would otherwise be
the direction of the label. Two columns, which may disagree:

- **direction**: derivative of the margins along the probe's weights, a regression concept vector (Graziani et al.,
  2018), for a step of one SD of the embedding; compared with probes of permuted targets.
- **erasure**: what the margin of the true class, and UAR, lose once the embedding says nothing linear of the target
  (least-squares concept erasure, Belrose et al., 2023, with the probe's ridge in the covariance); compared with
  erasures of permuted targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser.explainer.probing.head import EmbeddingHead, find_margins
from ser.explainer.probing.residuals import permute_within
from ser.explainer.probing.ridge import Basis, Solution, Solver, turn
from ser.explainer.probing.scores import find_max_t
from ser.metrics import uar

#: Random erasures of each penalty.
ERASURES = 100


@dataclass(frozen=True, eq=False)
class FoldUsage:
    """What a fold's head makes of T directions; sums over its M test clips.

    Attributes:
        clips: M.
        along: derivative of each class's margin [K, T].
        along_null: of permuted targets [B, K, T].
        lost: what erasing takes from the margin of the true class [T].
        lost_null: with permuted targets, one set for each penalty [B, A].
        penalties: which of the A each target has [T].
        counts: confusion counts of the head as it is [K, K], and after erasures [T, K, K].
        counts_null: after random ones [B, A, K, K].
    """

    clips: int
    along: np.ndarray
    along_null: np.ndarray
    lost: np.ndarray
    lost_null: np.ndarray
    penalties: np.ndarray
    counts: tuple[np.ndarray, np.ndarray]
    counts_null: np.ndarray


def measure_usage(
    head: EmbeddingHead,
    values: np.ndarray,
    solver: Solver,
    targets: np.ndarray,
    solution: Solution,
    classes: np.ndarray,
    groups: np.ndarray,
    draws: int,
    seed: Sequence[int],
) -> FoldUsage:
    """Both uses of a fold's head.

    Args:
        head: with classes in the order of their numbers.
        values: embeddings of all rows [N, D], as the head reads them.
        solver: of the fold, within class and speaker.
        targets: [N, T].
        solution: of the targets.
        classes: number of every row's class [N].
        groups: number of its speaker and class [N].
        draws: permutations B.
        seed: of them.
    """
    rng = np.random.default_rng(list(seed))
    division, basis = solver.division, solver.basis
    tested, true = values[division.test].astype(np.float64), classes[division.test]
    centre = values[division.train].astype(np.float64).mean(0)
    adjusted = solver.adjust(targets, division.train)[division.train]
    within = groups[division.train]
    slopes = np.stack([head.differentiate(tested, number).sum(0) for number in range(len(head.emotions))])
    permuted = [turn(basis, adjusted[permute_within(within, rng)])[0] for _ in range(draws)]
    known, place = np.unique(solution.alphas, return_inverse=True)
    penalties = np.searchsorted(solver.alphas, known)[place]
    lost, counts = erase_each(head, tested, centre, basis, solution.turned, solution.alphas, true)
    shape = (min(ERASURES, draws), len(solver.alphas))
    lost_null, counts_null = np.zeros(shape), np.zeros((*shape, *counts.shape[1:]), dtype=np.int64)
    columns = rng.integers(targets.shape[1], size=shape[0])
    drawn = np.stack([permuted[row][:, column] for row, column in enumerate(columns)], axis=1)
    for number in set(penalties.tolist()):
        alphas = np.full(shape[0], solver.alphas[number])
        lost_null[:, number], counts_null[:, number] = erase_each(head, tested, centre, basis, drawn, alphas, true)
    before = count_pairs(true, head.score(tested))
    return FoldUsage(
        clips=len(tested),
        along=differentiate_along(basis, slopes, solution.turned, solution.alphas),
        along_null=np.stack([differentiate_along(basis, slopes, each, solution.alphas) for each in permuted]),
        lost=lost,
        lost_null=lost_null,
        penalties=penalties,
        counts=(before, counts),
        counts_null=counts_null,
    )


def differentiate_along(basis: Basis, slopes: np.ndarray, turned: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Derivatives [K, T] along probes' weights of length 1, from gradients [K, D] of raw values."""
    places = turned / (basis.spectrum[:, None] + alphas)
    lengths = np.sqrt((basis.shrinks[:, None] * places**2).sum(0))
    found = (slopes * basis.scale) @ basis.basis @ places
    return np.divide(found, lengths, out=np.zeros(found.shape), where=lengths > 0)


def erase_each(
    head: EmbeddingHead,
    values: np.ndarray,
    centre: np.ndarray,
    basis: Basis,
    turned: np.ndarray,
    alphas: np.ndarray,
    true: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the losses of the true class's margin [T], and confusion counts [T, K, K], target by target."""
    weights, patterns = basis.find_weights(turned, alphas), find_patterns(basis, turned)
    before = head.find_margins(values)[np.arange(len(true)), true]
    lost, counts = [], []
    for weight, pattern in zip(weights.T, patterns.T, strict=True):
        logits = head.score(erase(values, centre, basis.scale, weight, pattern))
        lost.append((before - find_margins(logits)[np.arange(len(true)), true]).sum())
        counts.append(count_pairs(true, logits))
    return np.array(lost), np.stack(counts)


def find_patterns(basis: Basis, turned: np.ndarray) -> np.ndarray:
    """Covariance [D, T] of standardised training rows with targets, times their number."""
    return basis.basis @ turned


def erase(
    values: np.ndarray, centre: np.ndarray, scale: np.ndarray, weight: np.ndarray, pattern: np.ndarray
) -> np.ndarray:
    """Values [M, D] without what a probe says of them: z - a (w'z) / (w'a) of standardised values z.

    Whatever the weights w, the covariance of what is left with the target is a - a (w'a) / (w'a) = 0 on the rows whose
    covariance with it is a; with w = (covariance of z)^-1 a, z changes least (Belrose et al., 2023, theorem 4.2).
    """
    joint = weight @ pattern
    if joint == 0:
        return values
    said = ((values - centre) / scale) @ weight
    return values - (said / joint)[:, None] * (pattern * scale)


def count_pairs(true: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Confusion counts [K, K] of true classes [M] and logits [M, K]."""
    counts = np.zeros((logits.shape[1],) * 2, dtype=np.int64)
    np.add.at(counts, (true, logits.argmax(1)), 1)
    return counts


def join_usage(folds: Sequence[FoldUsage]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Columns [T] of what heads use over the test clips of all folds, and arrays [K, T] of each class's margin.

    ``used_direction`` is the root mean square over classes of the derivatives, ``used_erasure`` the mean loss of the
    true class's margin, ``erasure_uar`` the loss of UAR and ``random_uar`` that of random erasures; ``_z`` and ``_p``
    compare with permuted targets, ``_p_max`` within the family of all targets.
    """
    clips = sum(fold.clips for fold in folds)
    along = np.sum([fold.along for fold in folds], axis=0) / clips
    along_null = np.sum([fold.along_null for fold in folds], axis=0) / clips
    lost = np.sum([fold.lost for fold in folds], axis=0) / clips
    lost_null = np.sum([fold.lost_null[:, fold.penalties] for fold in folds], axis=0) / clips
    columns: dict[str, np.ndarray] = {}
    strength, strength_null = (np.sqrt((each**2).mean(-2)) for each in (along, along_null))
    for name, observed, null in (
        ("used_direction", strength, strength_null),
        ("used_erasure", lost, lost_null),
    ):
        z, p, p_max = find_max_t(observed, null)
        columns |= {name: observed, f"{name}_z": z, f"{name}_p": p, f"{name}_p_max": p_max}
    before = uar(np.sum([fold.counts[0] for fold in folds], axis=0))
    after = uar(np.sum([fold.counts[1] for fold in folds], axis=0))
    random = uar(np.sum([fold.counts_null[:, fold.penalties] for fold in folds], axis=0)).mean(0)
    columns |= {"erasure_uar": before - after, "random_uar": before - random}
    spread = along_null.std(0, ddof=1)
    return columns, {"derivative": along, "derivative_z": along / np.where(spread > 0, spread, np.inf)}
