"""From margins of masked clips to a value of each segment.

All read the same bank of masks. Where the margin is a sum of parts of the segments, they find those parts (RISE where
the bank has every mask; of a sample it keeps an error that falls with the number of masks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from ser.errors import InputError
from ser.explainer.segments.masks import weigh_coins, weigh_masks, weigh_shapley


class Estimator(Protocol):
    """Reads values off a bank."""

    #: Whether values sum to the margin of the clip minus that without any segment.
    complete: ClassVar[bool]

    def choose(self, keep: Tensor) -> Tensor:
        """Which masks [masks] of a bank [masks, count] it reads."""

    def estimate(self, keep: Tensor, margins: Tensor) -> Tensor:
        """Values [count] from masks [masks, count] and their margins [masks], in double precision."""


class _ReadAll:
    """Reads every mask."""

    complete: ClassVar[bool] = False

    def choose(self, keep: Tensor) -> Tensor:
        """All."""
        return torch.ones(len(keep), dtype=torch.bool)


@dataclass(frozen=True)
class LeaveOneOut:
    """What the margin loses with a segment."""

    complete: ClassVar[bool] = False

    def choose(self, keep: Tensor) -> Tensor:
        """All segments, and all but one."""
        return keep.sum(1) >= keep.shape[1] - 1

    def estimate(self, keep: Tensor, margins: Tensor) -> Tensor:
        """See :class:`Estimator`."""
        sizes, count = keep.sum(1), keep.shape[1]
        one_less = sizes == count - 1
        values = margins.new_zeros(count)
        values[(~keep[one_less]).int().argmax(1)] = margins[sizes == count] - margins[one_less]
        return values


@dataclass(frozen=True)
class KernelShap(_ReadAll):
    """Shapley values, as the weighted least squares that they solve.

    The constraint that they sum to the whole difference is kept exactly; with every mask in the bank, values are exact.
    Lundberg & Lee (2017), A unified approach to interpreting model predictions, NeurIPS.
    """

    complete: ClassVar[bool] = True

    def estimate(self, keep: Tensor, margins: Tensor) -> Tensor:
        """See :class:`Estimator`."""
        sizes, count = keep.sum(1), keep.shape[1]
        lowest = margins[sizes == 0].mean()
        total = margins[sizes == count].mean() - lowest
        if count == 1:
            return total[None]
        weights = weigh_masks(keep, weigh_shapley(count))
        weighted = keep.T.double() * weights
        both = torch.stack([weighted @ (margins - lowest), torch.ones(count, dtype=torch.float64)], 1)
        free, ones = torch.linalg.solve(weighted @ keep.double(), both).T
        return free - ones * (free.sum() - total) / ones.sum()


@dataclass(frozen=True)
class Lime(_ReadAll):
    """Ridge regression on masks, near the whole clip more than far from it.

    Masks are those of fair coins, weighted by exp(-d² / width²) with d the cosine distance to the whole clip. Ribeiro,
    Singh & Guestrin (2016), "Why should I trust you?", KDD; distance and width as in their code for images.

    Args:
        width: of the kernel.
        ridge: penalty on squared values, where the weights of all masks sum to one.
    """

    width: float = 0.25
    ridge: float = 0.01

    def __post_init__(self) -> None:
        if self.width <= 0 or self.ridge < 0:
            raise InputError(
                f"explainer.estimator.width={self.width} ridge={self.ridge}", expected="above 0, and at least 0"
            )

    def estimate(self, keep: Tensor, margins: Tensor) -> Tensor:
        """See :class:`Estimator`."""
        count = keep.shape[1]
        distance = 1 - np.sqrt(np.arange(count + 1) / count)
        mass = weigh_coins(count) * np.exp(-((distance / self.width) ** 2))
        return regress(keep, margins, weigh_masks(keep, mass), self.ridge)


@dataclass(frozen=True)
class Banzhaf(_ReadAll):
    """Banzhaf values: what a segment adds on average over all sets of the others, each set alike.

    As the least squares that they solve (Hammer & Holzman, 1992, Approximations of pseudo-Boolean functions, ZOR 36);
    they depend less on the noise of single scores than Shapley values (Wang & Jia, 2023, Data Banzhaf, AISTATS).
    """

    def estimate(self, keep: Tensor, margins: Tensor) -> Tensor:
        """See :class:`Estimator`."""
        return regress(keep, margins, weigh_masks(keep, weigh_coins(keep.shape[1])))


@dataclass(frozen=True)
class Rise(_ReadAll):
    """Mean margin of masks that keep a segment minus that of masks that do not.

    Petsiuk, Das & Saenko (2018), RISE: randomized input sampling for explanation of black-box models, BMVC; there
    without the second term, which leaves the sign of a value open.

    Args:
        share: probability that a segment stays.
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"explainer.estimator.share={self.share}", expected="between 0 and 1")

    def estimate(self, keep: Tensor, margins: Tensor) -> Tensor:
        """See :class:`Estimator`."""
        weights = weigh_masks(keep, weigh_coins(keep.shape[1], self.share))
        with_it, without = weights @ keep.double(), weights @ (~keep).double()
        return (weights * margins) @ keep.double() / with_it - (weights * margins) @ (~keep).double() / without


def regress(keep: Tensor, margins: Tensor, weights: Tensor, ridge: float = 0.0) -> Tensor:
    """Slopes [count] of a weighted regression of margins [masks] on masks [masks, count] with a free constant.

    Args:
        keep: masks.
        margins: of the masks.
        weights: of the masks, summing to 1.
        ridge: penalty on squared slopes.
    """
    x, root = keep.double(), weights.sqrt()
    x, y = x - weights @ x, margins - weights @ margins
    penalty = ridge**0.5 * torch.eye(x.shape[1], dtype=torch.float64)
    rows = torch.cat([root[:, None] * x, penalty])
    right = torch.cat([root * y, y.new_zeros(len(penalty))])
    return torch.linalg.lstsq(rows, right[:, None], driver="gelsd").solution[:, 0]
