"""Some of a backbone's weights are trained: the last blocks, the biases, or all of them after a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ser.errors import InputError
from ser.finetune.full import Full, hold_untrained

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LastBlocks(Full):
    """Train the last blocks.

    Args:
        blocks: how many.
    """

    from_scratch: ClassVar[bool] = False
    blocks: int = 2

    def choose(self, network: nn.Module) -> Iterator[nn.Parameter]:
        """The weights of the last blocks."""
        found = list(network.blocks)  # type: ignore[arg-type]
        if not 1 <= self.blocks <= len(found):
            raise InputError(f"finetune.blocks={self.blocks}", expected=f"1 to {len(found)}, the backbone's blocks")
        return (weight for block in found[-self.blocks :] for weight in block.parameters())


@dataclass(frozen=True)
class BitFit(Full):
    """Train the biases (Ben Zaken et al., 2022)."""

    from_scratch: ClassVar[bool] = False

    def choose(self, network: nn.Module) -> Iterator[nn.Parameter]:
        """The biases of what full fine-tuning would train."""
        chosen = {id(weight) for weight in super().choose(network)}
        return (w for name, w in network.named_parameters() if name.endswith("bias") and id(w) in chosen)


@dataclass(frozen=True)
class HeadThenFull(Full):
    """Train the head alone for some epochs, then everything (LP-FT: Kumar et al., 2022).

    Args:
        epochs: of the head alone.
    """

    from_scratch: ClassVar[bool] = False
    epochs: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1:
            raise InputError(f"finetune.epochs={self.epochs}", expected="1 or more; finetune=full has none")

    def begin_epoch(self, network: nn.Module, epoch: int) -> None:
        """Open the backbone when its time has come."""
        for weight in self.choose(network):
            weight.requires_grad_(epoch >= self.epochs)
        hold_untrained(network)
