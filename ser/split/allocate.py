"""Dealing whole groups (speakers, sentences) to parts so that every part looks like the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Stop at a root mean square deviation of 1 % from the wished shares: nobody sees more, and seeds stay different.
TOLERANCE = 1e-4
#: A step that gains less than this is not worth its time.
LEAST_GAIN = TOLERANCE / 100
MOST_SWAPS = 200
#: Above this many groups single moves balance well enough, and all pairs would cost time and memory.
MOST_GROUPS_TO_SWAP = 600


def allocate_groups(
    counts: np.ndarray,
    shares: Sequence[float] | np.ndarray,
    seed: int | Sequence[int],
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Deal each group to one part; parts get their share of the clips of every level as closely as whole groups allow.

    Minimises the squared relative deviation from the wished count, summed over levels (by weight) and parts (by share).
    Each part first gets one group at random, which stays, so that no part is empty and other seeds give other splits
    also where one allocation is best; the others follow in random order to where they fit best; then the best single
    move, or else the best swap of two groups, is made as long as it helps.

    Args:
        counts: clips of each group by level ``[G, C]``.
        shares: wished share of each part ``[P]``, scaled to sum to 1.
        seed: of numpy's generator.
        weights: importance of each level ``[C]``, equal if not given.

    Returns:
        The part of each group ``[G]``. With fewer groups than parts, as many parts as groups get one.
    """
    rng = np.random.default_rng(seed)
    wished = np.asarray(shares, dtype=float) / np.sum(shares)
    if len(counts) < len(wished):
        return rng.permutation(len(wished))[: len(counts)]
    rows = _scale_counts(np.asarray(counts, dtype=float), weights)
    parts = _draw_anchors(rows.sum(axis=1), wished, rng)
    movable = parts < 0
    deviation = _deal_rest(rows, wished, parts, rng.permutation(np.flatnonzero(movable)))
    _improve_balance(rows, wished, parts, deviation, np.flatnonzero(movable))
    return parts


def _scale_counts(counts: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Counts scaled so that the squared deviation of a column is relative and weighted; empty columns go."""
    weights = np.ones(counts.shape[1]) if weights is None else np.asarray(weights, dtype=float)
    totals = counts.sum(axis=0)
    kept = totals > 0
    return counts[:, kept] / totals[kept] * np.sqrt(weights[kept] / weights[kept].sum())


def _draw_anchors(sizes: np.ndarray, wished: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random group for each part, -1 for all others; small parts choose first, among groups that fit."""
    parts = np.full(len(sizes), -1)
    tie = rng.permutation(len(wished))
    for part in tie[np.argsort(wished[tie], kind="stable")]:
        free = np.flatnonzero(parts < 0)
        fitting = free[sizes[free] <= wished[part] * sizes.sum() * 1.0001]
        group = rng.choice(fitting) if len(fitting) else free[np.argmin(sizes[free])]
        parts[group] = part
    return parts


def _deal_rest(rows: np.ndarray, wished: np.ndarray, parts: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Give each group in turn to the part where it helps most; returns the deviation of each part ``[P, C]``."""
    deviation = -wished[:, None] * rows.sum(axis=0)
    for group in np.flatnonzero(parts >= 0):
        deviation[parts[group]] += rows[group]
    norms = (rows**2).sum(axis=1)
    for group in order:
        part = int(np.argmin((2 * (deviation @ rows[group]) + norms[group]) / wished))
        parts[group] = part
        deviation[part] += rows[group]
    return deviation


def _improve_balance(
    rows: np.ndarray, wished: np.ndarray, parts: np.ndarray, deviation: np.ndarray, movable: np.ndarray
) -> None:
    """Make the best move, or where none helps the best swap, until neither helps; changes ``parts`` in place."""
    if not len(movable):
        return
    free, scale = rows[movable], 1 / wished
    norms = (free**2).sum(axis=1)
    distances: np.ndarray | None = None
    swaps = MOST_SWAPS if len(movable) <= MOST_GROUPS_TO_SWAP else 0
    for _ in range(4 * len(movable) + swaps):
        if ((deviation**2).sum(axis=1) * scale).sum() < TOLERANCE:
            return
        own = parts[movable]
        fit = scale[:, None] * (deviation @ free.T)
        group, part = _find_move(fit, norms, scale, own)
        if group >= 0:
            _move_group(rows, parts, deviation, movable[group], part)
            continue
        if not swaps:
            return
        swaps -= 1
        if distances is None:
            distances = np.maximum(norms[:, None] + norms - 2 * free @ free.T, 0)
        first, second = _find_swap(fit, distances, scale, own)
        if first < 0:
            return
        _move_group(rows, parts, deviation, movable[first], own[second])
        _move_group(rows, parts, deviation, movable[second], own[first])


def _find_move(fit: np.ndarray, norms: np.ndarray, scale: np.ndarray, own: np.ndarray) -> tuple[int, int]:
    """The group and the part of the move that lowers the objective most; -1 if none does."""
    groups = np.arange(len(own))
    change = 2 * fit + scale[:, None] * norms
    change = change - 2 * fit[own, groups] + scale[own] * norms
    change[own, groups] = np.inf
    part, group = np.unravel_index(np.argmin(change), change.shape)
    return (int(group), int(part)) if change[part, group] < -LEAST_GAIN else (-1, -1)


def _find_swap(fit: np.ndarray, distances: np.ndarray, scale: np.ndarray, own: np.ndarray) -> tuple[int, int]:
    """The two groups whose swap lowers the objective most; -1 if none does."""
    gain = fit[own] - fit[own, np.arange(len(own))][:, None]
    change = 2 * (gain + gain.T) + (scale[own][:, None] + scale[own]) * distances
    change[own[:, None] == own] = np.inf
    first, second = np.unravel_index(np.argmin(change), change.shape)
    return (int(first), int(second)) if change[first, second] < -LEAST_GAIN else (-1, -1)


def _move_group(rows: np.ndarray, parts: np.ndarray, deviation: np.ndarray, group: int, part: int) -> None:
    deviation[parts[group]] -= rows[group]
    deviation[part] += rows[group]
    parts[group] = part
