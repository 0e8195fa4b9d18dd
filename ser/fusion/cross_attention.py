"""Attention between the frames of both branches. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ser.errors import InputError
from ser.fusion.base import Rule

if TYPE_CHECKING:
    from torch import nn

    from ser.head.pair import Pair
    from ser.head.reading import Reading


@dataclass(frozen=True)
class CrossAttention(Rule):
    """Frames of sound attend to words and words to frames of sound; each branch's pooling then reads what came of it.

    One block in each direction, as in the multimodal transformer of Tsai et al. (2019): a frame keeps what it is and
    adds what it attends to, or nothing. A branch without frames has its vector as its only one.

    Args:
        size: to which the frames of both are projected.
        heads: of the attention.
        attention_dropout: share of attention weights left out in training.
        others: see :class:`ser.fusion.base.Rule`.
    """

    reads_frames: ClassVar[bool] = True

    size: int = 64
    heads: int = 4
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heads < 1 or self.size < 1 or self.size % self.heads or not 0 <= self.attention_dropout < 1:
            raise InputError(
                f"fusion: size={self.size}, heads={self.heads}, attention_dropout={self.attention_dropout}",
                expected="a size that the heads divide, a dropout from 0 to below 1",
            )

    @property
    def learns(self) -> bool:
        """Yes: the attention."""
        return True

    def check(self, readings: Pair[Reading]) -> None:
        """Refuse poolings by part: projected frames have none."""
        for name, reading in readings._asdict().items():
            if reading.by_part:
                raise InputError(
                    f"fusion=cross_attention: the frames of {name} are projected, and have no parts to be pooled",
                    remedy=f"pass pooling@backbone.pooling.{name}=gru, which reads frames as a whole",
                )

    def build(self, sizes: Pair[int], readings: Pair[Reading]) -> nn.Module:
        """What makes one vector of two sequences of frames."""
        from ser.fusion.joins import CrossAttentionJoin

        poolings = readings.map(lambda reading: reading.make_pooling(self.size))
        return CrossAttentionJoin(sizes, poolings, self.size, self.heads, self.attention_dropout)
