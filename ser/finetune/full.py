"""All of a backbone is trained, from the first epoch on; other policies train less, or later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ser.backbone.base import is_trainable
from ser.errors import InputError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Full:
    """Train all weights but the front end's.

    Args:
        lr: learning rate of the topmost block; ``None``: the optimizer's.
        layer_decay: each block's learning rate over that of the block above it; what lies outside the blocks counts as
            below the lowest (ULMFiT's discriminative rates: Howard and Ruder, 2018).
        front_end: train the front end as well.
        gradient_checkpointing: compute activations twice rather than keep them: less memory, more time.
    """

    trains: ClassVar[bool] = True
    #: Whether it may train a network that starts untrained, as a whole.
    from_scratch: ClassVar[bool] = True

    lr: float | None = None
    layer_decay: float = 1.0
    front_end: bool = False
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.layer_decay <= 1:
            raise InputError(f"finetune.layer_decay={self.layer_decay}", expected="above 0, at most 1 (no decay)")

    def check(self, backbone: Any) -> None:
        """Refuse what has no weights, or none worth keeping."""
        name = type(backbone).__name__
        if not is_trainable(backbone):
            raise InputError(
                f"finetune: {name} has no weights to fine-tune",
                remedy="pass finetune=frozen, or choose a backbone that is a network",
            )
        if not (backbone.pretrained or self.from_scratch):
            raise InputError(
                f"finetune with {type(self).__name__}: {name} starts untrained, all of it must be trained",
                remedy="pass finetune=full, or choose a pretrained backbone",
            )

    def apply(self, network: nn.Module) -> nn.Module:
        """The network, with the weights to be trained marked as such."""
        network.requires_grad_(False)
        for weight in self.choose(network):
            weight.requires_grad_(True)
        if self.gradient_checkpointing:
            if not hasattr(network, "enable_gradient_checkpointing"):
                raise InputError(
                    f"finetune.gradient_checkpointing: {type(network).__name__} does not support it",
                    remedy="pass finetune.gradient_checkpointing=false",
                )
            network.enable_gradient_checkpointing()  # type: ignore[operator]
        return network

    def choose(self, network: nn.Module) -> Iterator[nn.Parameter]:
        """The weights that are ever trained."""
        left_out = set() if self.front_end else {id(w) for module in network.front_end for w in module.parameters()}  # type: ignore[union-attr]
        return (weight for weight in network.parameters() if id(weight) not in left_out)

    def group_parameters(self, network: nn.Module, lr: float) -> list[Mapping[str, Any]]:
        """One group for each learning rate, from top to bottom."""
        top = lr if self.lr is None else self.lr
        blocks = list(network.blocks)[::-1]  # type: ignore[arg-type]
        below = {id(w): depth for depth, block in enumerate(blocks) for w in block.parameters()}
        groups: dict[float, list[nn.Parameter]] = {}
        for weight in network.parameters():
            if weight.requires_grad:
                rate = top * self.layer_decay ** below.get(id(weight), len(blocks))
                groups.setdefault(rate, []).append(weight)
        return [{"params": weights, "lr": rate} for rate, weights in sorted(groups.items(), reverse=True)]

    def begin_epoch(self, network: nn.Module, epoch: int) -> None:  # noqa: ARG002 - other policies change by epoch
        """Parts without weights to train behave as in prediction: no dropout, no new batch statistics."""
        hold_untrained(network)


def hold_untrained(network: nn.Module) -> None:
    """Training mode for what is trained; modules whose weights all stay as they are keep to evaluation mode."""
    network.train()
    for module in network.modules():
        weights = list(module.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            module.eval()


def freeze_above(network: nn.Module, layer: Any) -> None:
    """Blocks above the hidden state that a head reads never learn; they are not trained, counted or kept.

    Args:
        network: as a policy prepared it.
        layer: number of the hidden state, or ``mix``.

    Raises:
        InputError: nothing else would have been trained.
    """
    blocks = list(network.blocks)  # type: ignore[arg-type]
    if layer == "mix" or network.depth != len(blocks) + 1:
        return
    for block in blocks[layer % network.depth :]:
        block.requires_grad_(False)
    if not any(weight.requires_grad for weight in network.parameters()):
        raise InputError(
            f"finetune: all that would be trained lies above backbone.layer={layer}",
            remedy="pass a higher backbone.layer, backbone.layer=mix, or finetune=full",
        )
