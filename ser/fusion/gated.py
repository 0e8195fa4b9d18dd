"""Gated multimodal units. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ser.errors import InputError
from ser.fusion.base import Rule

if TYPE_CHECKING:
    from torch import nn

    from ser.head.pair import Pair
    from ser.head.reading import Reading


@dataclass(frozen=True)
class Gated(Rule):
    """Each unit takes from what is heard as much as a gate says, which sees both, and the rest from what is said.

    Source: the gated multimodal unit of Arevalo et al. (2017).

    Args:
        units: how many.
        others: see :class:`ser.fusion.base.Rule`.
    """

    units: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.units < 1:
            raise InputError(f"fusion.units={self.units}", expected="1 or more")

    @property
    def learns(self) -> bool:
        """Yes: the gate."""
        return True

    def build(self, sizes: Pair[int], readings: Pair[Reading]) -> nn.Module:  # noqa: ARG002 - rules are alike
        """What makes one vector of two."""
        from ser.fusion.joins import GatedJoin

        return GatedJoin(sizes, self.units)
