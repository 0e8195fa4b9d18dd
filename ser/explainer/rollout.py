"""Attention rollout: how much of each token flows through a transformer's attention. A diagnostic, not an attribution.

It does not know which class it explains, nor what values, feed-forward networks or the head make of what flows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from ser.errors import InputError
from ser.explainer.base import Relevance
from ser.explainer.gradcam import hear_blocks, require_blocks
from ser.explainer.passes import Margins, split
from ser.explainer.subject import Subject


@dataclass(frozen=True)
class AttentionRollout:
    """Products of the layers' attention (Abnar & Zuidema, 2020, arXiv:2005.00928), mean over what tokens end up with.

    Values of a clip's tokens sum to 1. Layers above the hidden state that the head reads do not count.

    Args:
        residual: share of a token that passes beside the attention; the paper takes half.
        max_batch: clips at once.

    Raises:
        InputError: a share that is none.
    """

    diagnostic: ClassVar[bool] = True

    residual: float = 0.5
    max_batch: int = 16

    def __post_init__(self) -> None:
        if not 0 <= self.residual < 1:
            raise InputError(f"explainer.residual={self.residual}", expected="at least 0, below 1")

    def check(self, subject: Subject) -> None:
        """See :class:`ser.explainer.base.Explainer`."""
        subject.require_gradients("attention_rollout")
        blocks = require_blocks(subject, "attention_rollout")
        if not all(any(map(is_attention, block.modules())) for block in blocks):
            raise refuse(f"{type(subject.trunk).__name__} is no transformer: not all of its blocks attend")
        if any(isinstance(module, nn.Conv2d) for block in blocks for module in block.modules()):
            raise refuse(
                f"{type(subject.trunk).__name__}: its blocks change the number of places, and attend to every second "
                "one only, so that attention has no product over blocks"
            )

    def explain(self, subject: Subject, inputs: Tensor, classes: Tensor) -> Relevance:
        """See :class:`ser.explainer.base.Explainer`."""
        margins = Margins(subject.require_gradients("attention_rollout"))
        blocks = require_blocks(subject, "attention_rollout")
        flows = []
        for part, own in split(inputs, classes, self.max_batch):
            with KeepAttention() as kept:
                heard = hear_blocks(margins, blocks, part, own)
            if len(kept.weights) != len(blocks):
                raise refuse(f"{len(blocks)} blocks, but attention was seen {len(kept.weights)} times")
            flows.append(roll_out(kept.weights[: count_heard(heard)], self.residual).mean(1))
        values = torch.cat(flows)
        grid = subject.find_token_grid(values.shape[-1])
        return Relevance(values, grid, forwards=margins.forwards, backwards=margins.backwards)


def count_heard(heard: Sequence[tuple[Tensor, Tensor | None]]) -> int:
    """How many blocks, from the lowest, the head hears."""
    places = [place for place, (_, gradient) in enumerate(heard) if gradient is not None]
    if not places:
        raise refuse("the head hears none of the network's blocks, only what enters them")
    return places[-1] + 1


def roll_out(weights: Sequence[Tensor], residual: float) -> Tensor:
    """Flow [B, F, F] from each token (columns) to each (rows) through layers with attention [B, heads, F, F]."""
    own = torch.eye(weights[0].shape[-1], device=weights[0].device)
    layers = [residual * own + (1 - residual) * layer.mean(1) for layer in weights]
    return reduce(lambda below, layer: layer @ below, layers)


class KeepAttention(TorchFunctionMode):
    """While active, keep the weights of all attention that torch computes; it yields what it would.

    It works whatever module attends, and nothing in the network is changed for it.

    Attributes:
        weights: [B, heads, queries, keys] of each attention, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """See :class:`torch.overrides.TorchFunctionMode`."""
        if func is not scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        found, weights = attend(*args, **(kwargs or {}))
        self.weights.append(weights.detach())
        return found


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001 - as torch's function; none in evaluation
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention as torch's ``scaled_dot_product_attention`` computes it, and its weights."""
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(ahead, -torch.inf)
    if attn_mask is not None:
        allowed = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if allowed else scores + attn_mask
    weights = scores.softmax(-1)
    return weights @ value, weights


def is_attention(module: nn.Module) -> bool:
    """Whether a module is named as modules that attend are."""
    return type(module).__name__.endswith("Attention")


def refuse(reason: str) -> InputError:
    """The error of models without rollout."""
    return InputError(
        f"explainer=attention_rollout: {reason}",
        expected="wav2vec 2.0, HuBERT, WavLM, data2vec-audio or Whisper",
        remedy="choose another explainer",
    )
