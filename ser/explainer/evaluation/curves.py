"""What happens to a margin as the most relevant cells are removed, or alone are kept.

Deletion and insertion: Petsiuk, Das and Saenko (2018), RISE, BMVC. Comprehensiveness and sufficiency: DeYoung et al.
(2020), ERASER, ACL.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

#: Shares of the area over which comprehensiveness and sufficiency are averaged.
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


def rank_cells(values: np.ndarray, seed: int) -> np.ndarray:
    """Cells [count] from the most relevant to the least; equal ones in an order that is random, but always the same."""
    ties = np.random.default_rng(seed).permutation(len(values))
    return np.lexsort((ties, -values))


def find_counts(areas: np.ndarray, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """How many of the first cells, whose areas [count] are given in their order, come nearest to shares of the area."""
    reached = np.concatenate([[0.0], np.cumsum(areas) / areas.sum()])
    return np.abs(reached[None] - np.asarray(shares)[:, None]).argmin(1)


def list_shares(steps: int) -> np.ndarray:
    """Shares of the area at which a margin is asked for: steps of equal area, and those of :data:`SHARES`."""
    return np.unique(np.concatenate([np.linspace(0, 1, steps + 1), SHARES]).round(9))


def make_masks(order: np.ndarray, areas: np.ndarray, shares: np.ndarray) -> tuple[Tensor, Tensor]:
    """What is kept in deletion and in insertion, bool [S, count] each.

    At least one cell is removed or kept at each share above 0.

    Args:
        order: cells from the most relevant to the least.
        areas: of the cells, in their own order.
        shares: of the area [S].
    """
    counts = find_counts(areas[order], shares)
    counts = np.where(shares > 0, counts.clip(min=1), 0)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    first = torch.from_numpy(place[None] < counts[:, None])
    return ~first, first


def find_area(shares: np.ndarray, values: np.ndarray, steps: int) -> float:
    """Area under a curve [S] over steps of equal size."""
    chosen = find_places(shares, np.linspace(0, 1, steps + 1))
    return float(np.trapezoid(values[chosen], dx=1 / steps))


def find_places(shares: np.ndarray, wanted: Sequence[float] | np.ndarray) -> np.ndarray:
    """Where wanted shares stand among all."""
    return np.array([int(np.abs(shares - share).argmin()) for share in wanted])


def score_curves(
    deletion: np.ndarray, insertion: np.ndarray, shares: np.ndarray, whole: float, empty: float, steps: int
) -> dict[str, float]:
    """Scores of both curves, in units of the distance between the margins of the clip and of its fill.

    The distance is positive also where the fill has the greater margin, as it often has where a network takes a fill
    for the very class: what supports the class should lower its margin when it goes, wherever that ends.

    Args:
        deletion: margins as the first cells go [S].
        insertion: margins as the first cells come [S].
        shares: of the area that went or came [S].
        whole: margin of the clip.
        empty: margin of the fill alone.
        steps: of equal area.
    """
    unit = abs(whole - empty)
    left, came = (deletion - empty) / unit, (insertion - empty) / unit
    at = find_places(shares, SHARES)
    deleted, inserted = find_area(shares, left, steps), find_area(shares, came, steps)
    return {
        "deletion_auc": deleted,
        "insertion_auc": inserted,
        "insertion_deletion": inserted - deleted,
        "comprehensiveness": float(np.mean((whole - deletion[at]) / unit)),
        "sufficiency": float(np.mean((whole - insertion[at]) / unit)),
    }
