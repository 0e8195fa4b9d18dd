"""Low-rank adapters beside a backbone's frozen weights (Hu et al., 2022), by peft."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ser.errors import InputError
from ser.finetune.full import Full

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LoRA(Full):
    """Train adapters of linear layers; a run keeps these alone.

    Args:
        rank: of the adapters.
        alpha: their sum is scaled by alpha / rank.
        dropout: of the adapters' inputs.
        targets: names of the linear layers, as their last part reads.
    """

    from_scratch: ClassVar[bool] = False
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: Sequence[str] = ("q_proj", "v_proj")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank < 1 or not 0 <= self.dropout < 1:
            raise InputError(
                f"finetune.rank={self.rank}, finetune.dropout={self.dropout}",
                expected="a rank of 1 or more, a dropout from 0 to below 1",
            )

    def apply(self, network: nn.Module) -> nn.Module:
        """The network with adapters that change nothing yet.

        Raises:
            InputError: it has no such linear layers.
        """
        from peft import LoraConfig, inject_adapter_in_model
        from torch import nn

        linear = {name for name, module in network.named_modules() if isinstance(module, nn.Linear)}
        chosen = sorted(name for name in linear if name.rpartition(".")[2] in self.targets)
        if not chosen:
            raise InputError(
                f"finetune.targets={list(self.targets)}: {type(network).__name__} has no such linear layers",
                expected="some of " + ", ".join(sorted({name.rpartition(".")[2] for name in linear}) or ["none"]),
            )
        settings = LoraConfig(r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, target_modules=chosen)
        return super().apply(inject_adapter_in_model(settings, network))

    def choose(self, network: nn.Module) -> Iterator[nn.Parameter]:
        """The adapters."""
        return (weight for name, weight in network.named_parameters() if ".lora_" in name)
