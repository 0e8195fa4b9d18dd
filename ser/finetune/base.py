"""What fine-tuning decides: which weights of a backbone are trained, from when on, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn


class Policy(Protocol):
    """A choice of the group ``finetune``."""

    @property
    def trains(self) -> bool:
        """Whether anything of the backbone is trained; if not, its features are computed once and stored."""

    def check(self, backbone: Any) -> None:
        """Raise InputError where this policy does not apply to a backbone."""

    def apply(self, network: nn.Module) -> Any:
        """The network with the weights that are trained marked as such, and with adapters where the policy has them."""

    def group_parameters(self, network: nn.Module, lr: float) -> list[Mapping[str, Any]]:
        """Groups for the optimizer: weights that are ever trained, each group with its learning rate."""

    def begin_epoch(self, network: nn.Module, epoch: int) -> None:
        """What changes when an epoch (from 0) begins."""
