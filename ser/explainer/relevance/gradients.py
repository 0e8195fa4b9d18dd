"""The rules: operations of unchanged value whose gradient, times their input, is relevance.

If ``y`` has relevance ``y * g``, then an operation with a modified gradient ``g'`` gives its input ``x * g'``. Where an
operation is linear its own gradient is the rule (LRP-0: each contribution gets its share). Constants get nothing: what
a bias contributed is absorbed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Function = Callable[..., Tensor]


class Sloped(torch.autograd.Function):
    """A value with a slope of one's own towards an input of the same shape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, slope: Tensor) -> Tensor:  # noqa: ARG004
        """The value."""
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """By the slope."""
        return grad * ctx.saved_tensors[0], None, None


def graft(value: Tensor, surrogate: Tensor) -> Tensor:
    """A value with the gradient of something else of its shape."""
    return surrogate + (value - surrogate).detach()


def weaken(x: Tensor, share: float) -> Tensor:
    """The same value; ``share`` of the gradient."""
    return Sloped.apply(x, x, torch.tensor(share, dtype=x.dtype, device=x.device))


def pass_through(value: Tensor, x: Tensor) -> Tensor:
    """An elementwise function of one variable: all relevance goes to that variable (identity rule).

    The slope is their ratio; where ``x`` is zero it has no relevance whatever the slope.
    """
    ratio = torch.where(x == 0, torch.zeros_like(x), value / x).detach()
    return Sloped.apply(x, value.detach(), ratio)


def norm_layer(
    norm: Function, x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Layer normalisation whose variance is a constant (Ali et al., 2022)."""
    axes = tuple(range(-len(shape), 0))
    slope = (x.detach().var(axes, unbiased=False, keepdim=True) + eps).rsqrt()
    surrogate = (x - x.mean(axes, keepdim=True)) * (slope if weight is None else slope * weight)
    return graft(norm(x.detach(), shape, weight, bias, eps), surrogate)


def norm_groups(
    norm: Function, x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Group normalisation of [B, C, …] whose variance is a constant."""
    grouped = x.unflatten(1, (groups, -1))
    axes = tuple(range(2, grouped.ndim))
    slope = (grouped.detach().var(axes, unbiased=False, keepdim=True) + eps).rsqrt()
    surrogate = ((grouped - grouped.mean(axes, keepdim=True)) * slope).reshape(x.shape)
    if weight is not None:
        surrogate = surrogate * weight.view(1, -1, *[1] * (x.ndim - 2))
    return graft(norm(x.detach(), groups, weight, bias, eps), surrogate)


def attend(
    attention: Function, weights_too: bool, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **more: Any
) -> Tensor:
    """Scaled dot-product attention.

    Args:
        attention: of torch.
        weights_too: divide relevance between values and attention weights, whose half queries and keys share (uniform
            rule for products, first-order Taylor expansion of the softmax); otherwise the weights are constants.
        query: [B, heads, F, D].
        key: [B, heads, F', D].
        value: [B, heads, F', D].
        mask: boolean, or added to the scores.
        more: for ``attention``.
    """
    if weights_too:
        added = weaken(mask, 0.5) if mask is not None and mask.requires_grad else mask
        return attention(weaken(query, 0.25), weaken(key, 0.25), weaken(value, 0.5), added, **more)
    constant = None if mask is None else mask.detach()
    return attention(query.detach(), key.detach(), value, constant, **more)


def convolve_gamma(
    convolve: Function, gamma: float, x: Tensor, weight: Tensor, bias: Tensor | None, *more: Any, **named: Any
) -> Tensor:
    """A convolution with the gamma rule for inputs of both signs (Montavon et al., 2019; Andéol et al., 2023).

    Contributions of the sign of what they sum to are raised by a factor of 1 + gamma; a bias contributes like an input
    of one. The raised sum is never nearer to zero than the plain one, so no relevance explodes here.
    """
    raised, lowered = weight + gamma * weight.clamp(min=0), weight + gamma * weight.clamp(max=0)
    bias_raised, bias_lowered = (
        (None, None) if bias is None else (bias + gamma * bias.clamp(min=0), bias + gamma * bias.clamp(max=0))
    )
    above, below = x.clamp(min=0), x.clamp(max=0)
    value = convolve(x.detach(), weight, bias, *more, **named)
    positive = convolve(above, raised, bias_raised, *more, **named)
    negative = convolve(above, lowered, bias_lowered, *more, **named)
    if bool((below < 0).any()):  # after a ReLU there is nothing below zero
        positive = positive + convolve(below, lowered, None, *more, **named)
        negative = negative + convolve(below, raised, None, *more, **named)
    raised_sum = torch.where(value > 0, positive, negative)
    ratio = torch.where(raised_sum == 0, torch.zeros_like(value), value / raised_sum).detach()
    return graft(value, raised_sum * ratio)


def fold(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution and the batch normalisation of what it makes, as one convolution."""
    slope = (variance + eps).rsqrt() * (1 if scale is None else scale)
    own = -mean if bias is None else bias - mean
    return weight * slope.view(-1, *[1] * (weight.ndim - 1)), own * slope + (0 if shift is None else shift)
