"""No fine-tuning: the backbone stays as it is, and its features are computed once. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ser.errors import InputError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Frozen:
    """Nothing of the backbone is trained."""

    trains: ClassVar[bool] = False

    def check(self, backbone: Any) -> None:
        """Refuse a network whose weights mean nothing before training."""
        if backbone.frames and not backbone.pretrained:
            raise InputError(
                f"finetune=frozen: {type(backbone).__name__} starts untrained, its frames would be random",
                remedy="pass finetune=full, or choose a pretrained backbone",
            )

    def apply(self, network: nn.Module) -> nn.Module:
        """The network, with nothing to train."""
        return network.requires_grad_(False).eval()

    def group_parameters(self, network: nn.Module, lr: float) -> list[Mapping[str, Any]]:  # noqa: ARG002
        """None."""
        return []

    def begin_epoch(self, network: nn.Module, epoch: int) -> None:
        """Nothing changes."""
