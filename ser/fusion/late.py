"""Late fusion: each branch decides, and their probabilities are averaged. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ser.errors import InputError
from ser.fusion.base import Rule
from ser.head.pair import Pair

if TYPE_CHECKING:
    from torch import nn

    from ser.fusion.network import Branch, LateNetwork
    from ser.head.data import Part
    from ser.head.reading import Reading

#: In place of a weight: that which makes the validation clips likeliest.
VALIDATION = "validation"


@dataclass(frozen=True)
class Late(Rule):
    """Two networks with layers of their own, each trained as if it were alone.

    Args:
        weight: of audio in the mean of the probabilities (of dimensions: in the mean of the values), 0 to 1; or
            ``validation``: the one that makes the validation clips likeliest (of dimensions: least wrong).
        others: see :class:`ser.fusion.base.Rule`.
    """

    weight: float | str = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        number = isinstance(self.weight, int | float) and 0 <= self.weight <= 1
        if not (number or self.weight == VALIDATION):
            raise InputError(f"fusion.weight={self.weight}", expected=f"of audio, 0 to 1; or {VALIDATION}")
        if any(self.dropout.values()):
            raise InputError(
                "fusion.dropout: in late fusion no branch learns to rely on the other", remedy="leave it out"
            )

    @property
    def learns(self) -> bool:
        """Yes: it has two heads."""
        return True

    @property
    def needs_validation(self) -> bool:
        """Whether the weight is chosen."""
        return self.weight == VALIDATION

    def connect(
        self,
        backbones: Pair[nn.Module | None],
        branches: Pair[Branch],
        readings: Pair[Reading],  # noqa: ARG002 - rules are alike
        make_layers: Callable[[int], nn.Module],
        target_scale: Any = None,
    ) -> LateNetwork:
        """Both networks as one."""
        from ser.fusion.network import LateNetwork

        weight = 0.5 if isinstance(self.weight, str) else self.weight
        layers = branches.map(lambda branch: make_layers(branch.size))
        return LateNetwork(backbones, branches, layers, weight, target_scale)

    def settle(self, network: Any, validation: Part | None, emotions: Sequence[str], batch_size: int) -> None:
        """Choose the weight, if it is to be chosen."""
        if self.needs_validation:
            from ser.fusion.weigh import choose_weight

            assert validation is not None
            network.weight.fill_(choose_weight(network, validation, emotions, batch_size))
