"""One bank of masks over n segments for all estimators: which segments stay, and what each mask weighs.

Within a size (how many segments stay) masks are drawn uniformly. An estimator that wants another distribution over
sizes than the bank has gives each size its own mass, shared among that size's masks (post-stratification).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import gammaln
from torch import Tensor

from ser.explainer.bank import rank_randomly

#: Masks a segment that a bank has at least: with fewer, regressions on the pairs drawn at random are ill-posed.
AT_LEAST = 6


def draw_bank(count: int, masks: int, seed: int) -> Tensor:
    """Masks for ``count`` segments.

    All of them where they are no more than ``masks``. Otherwise none and all of the segments, each one alone, each one
    left out, and random masks of the other sizes, each with its complement (antithetic pairs; Covert & Lee, 2021,
    Improving KernelSHAP: practical Shapley value estimation via linear regression, AISTATS). The sizes of these are
    shared out half as Shapley values want them, half as fair coins do (LIME, RISE, Banzhaf).

    Args:
        count: segments.
        masks: about how many masks; at least :data:`AT_LEAST` times the segments are drawn.
        seed: of the draws.

    Returns:
        What is kept [masks, count], bool.
    """
    masks = max(masks, AT_LEAST * count)
    if count < 31 and 2**count <= masks:
        numbers = torch.arange(2**count)
        return (numbers[:, None] >> torch.arange(count)) % 2 == 1
    single = torch.eye(count, dtype=torch.bool)
    none = torch.zeros(1, count, dtype=torch.bool)
    sizes = np.arange(2, count // 2 + 1)
    wanted = (weigh_shapley(count) + weigh_coins(count))[sizes]
    drawn = np.repeat(sizes, share_out((masks - 2 * count - 2) // 2, wanted))
    random = torch.Generator().manual_seed(seed)
    kept = rank_randomly(len(drawn), count, random) < torch.from_numpy(drawn)[:, None]
    return torch.cat([none, ~none, single, ~single, kept, ~kept])


def share_out(total: int, wanted: np.ndarray) -> np.ndarray:
    """Whole numbers [sizes] that sum to ``total``, at least one each, in proportion to what is wanted [sizes]."""
    ideal = (total - len(wanted)) * wanted / wanted.sum()
    parts = np.floor(ideal).astype(int)
    parts[np.argsort(parts - ideal)[: total - len(wanted) - parts.sum()]] += 1
    return parts + 1


def weigh_shapley(count: int) -> np.ndarray:
    """Mass of each size [count + 1] under the Shapley kernel: (n - 1) / (s (n - s)), summing to 1; none at 0 and n."""
    sizes = np.arange(1, count)
    mass = 1 / (sizes * (count - sizes))
    return np.concatenate([[0.0], mass / mass.sum() if count > 1 else mass, [0.0]])


def weigh_coins(count: int, share: float = 0.5) -> np.ndarray:
    """Mass of each size [count + 1] if each segment stays with the same probability."""
    sizes = np.arange(count + 1)
    ways = gammaln(count + 1) - gammaln(sizes + 1) - gammaln(count - sizes + 1)
    return np.exp(ways + sizes * np.log(share) + (count - sizes) * np.log1p(-share))


def weigh_masks(keep: Tensor, mass: np.ndarray) -> Tensor:
    """Weight of each mask [masks], summing to 1, that gives sizes their mass [count + 1]; sizes not drawn have none."""
    sizes = keep.sum(1)
    drawn = torch.bincount(sizes, minlength=len(mass))
    weights = torch.from_numpy(mass)[sizes] / drawn[sizes]
    return weights / weights.sum()
