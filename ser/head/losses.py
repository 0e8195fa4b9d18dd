"""Losses that torch has not: agreement of values, and emotions on which raters disagree.

A loss that takes ``weight`` (one a class) is for emotions, one that does not is for dimensions; torch's own keep to
this as well (``CrossEntropyLoss``, ``NLLLoss``; ``MSELoss``, ``HuberLoss``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.errors import InputError

#: Keeps a batch of one constant value from dividing by zero; values are standardised, so it is far below any variance.
SMALL = 1e-8


class CCCLoss(nn.Module):
    """1 - CCC (Lin, 1989), mean over dimensions; values [B, D] against values [B, D].

    CCC does not change when true and predicted values are shifted and scaled alike, so computing it on standardised
    values gives that of the raters' scale. It is a statistic of the batch: small batches make it noisy, and a batch of
    one clip has none.
    """

    def forward(self, values: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch.

        Raises:
            InputError: one clip, in training; nothing could be learnt from it.
        """
        if self.training and len(values) < 2:
            raise InputError(
                "the CCC loss of a batch of one clip is always 1", remedy="raise trainer.batch_size, or pass loss=mse"
            )
        values, targets = values.float(), targets.float()
        means = values.mean(0), targets.mean(0)
        covariance = ((values - means[0]) * (targets - means[1])).mean(0)
        spread = values.var(0, correction=0) + targets.var(0, correction=0) + (means[0] - means[1]).square()
        return (1 - 2 * covariance / (spread + SMALL)).mean()


class FocalLoss(nn.Module):
    """Cross-entropy that counts a clip for less the surer the network is of it: logits [B, K] against indices [B].

    A clip whose true class has the probability p costs -(1 - p)^gamma log p (Lin et al., 2017, equation 4). With
    weights, the mean is over the clips' weights, as torch's cross-entropy takes it; gamma = 0 is that cross-entropy.
    (Lin et al. divide by the number of objects in an image instead, which clips have no counterpart of.)

    Args:
        weight: of the classes [K].
        gamma: 0 or above; their best is 2.
        reduction: ``mean``, or ``none`` for the loss of each clip, in which the weights are factors.
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, gamma: float = 2.0, reduction: str = "mean") -> None:
        super().__init__()
        if gamma < 0 or reduction not in ("mean", "none"):
            raise InputError(f"loss.gamma={gamma}, loss.reduction={reduction}", expected="0 or above; mean or none")
        self.register_buffer("weight", weight)
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch."""
        log_p = torch.log_softmax(logits.float(), dim=-1).gather(1, targets[:, None])[:, 0]
        # 1 - p from the logarithm; below the smallest number its root would have no slope.
        rest = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        weights = torch.ones_like(log_p) if self.weight is None else self.weight[targets]
        losses = -weights * rest**self.gamma * log_p
        return losses if self.reduction == "none" else losses.sum() / weights.sum()


class SoftCrossEntropy(nn.Module):
    """Cross-entropy with the share of raters that chose each emotion: logits [B, K] against shares [B, K].

    Like torch's it takes indices [B] as well, as of raters of one mind: validation has a label for each clip.
    With all raters of one mind and with weights it is torch's cross-entropy of indices, weighted mean included. (For
    shares, torch's own divides by B instead, so that weights would change the size of the loss.)

    Args:
        weight: of the classes [K].
    """

    #: Tells the training to put shares into its batches.
    takes_shares = True
    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch; rows of shares sum to 1."""
        hard = targets.dim() < logits.dim()
        shares = nn.functional.one_hot(targets, logits.shape[-1]).to(logits) if hard else targets
        weighted = shares if self.weight is None else shares * self.weight
        return -(weighted * torch.log_softmax(logits, dim=-1)).sum() / weighted.sum()
