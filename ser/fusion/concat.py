"""Vectors of both branches side by side. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ser.errors import InputError
from ser.fusion.base import MODALITIES, Rule

if TYPE_CHECKING:
    from torch import nn

    from ser.head.pair import Pair
    from ser.head.reading import Reading


@dataclass(frozen=True)
class Concat(Rule):
    """The vector of what is heard, then that of what is said, each through dense layers of its own if wanted.

    Args:
        hidden: sizes of the layers (with ReLU) of ``audio`` and of ``text``; none leaves a vector as it is.
        layer_dropout: share of units left out after each of them, in training.
        others: see :class:`ser.fusion.base.Rule`.
    """

    hidden: Mapping[str, Sequence[int]] = field(default_factory=lambda: dict.fromkeys(MODALITIES, ()))
    layer_dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(units < 1 for name in MODALITIES for units in self.hidden[name]) or not 0 <= self.layer_dropout < 1:
            raise InputError(
                f"fusion.hidden={dict(self.hidden)}, fusion.layer_dropout={self.layer_dropout}",
                expected="layers of one unit or more, a dropout from 0 to below 1",
            )

    @property
    def learns(self) -> bool:
        """Whether it has weights, or drops modalities."""
        return super().learns or any(self.hidden.values())

    def build(self, sizes: Pair[int], readings: Pair[Reading]) -> nn.Module:  # noqa: ARG002 - rules are alike
        """What makes one vector of two."""
        from ser.fusion.joins import ConcatJoin

        return ConcatJoin(sizes, self.hidden, self.layer_dropout)
