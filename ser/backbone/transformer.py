"""What speech transformers have in common: a checkpoint by hub id or folder, or random weights from a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import OmegaConf

from ser.backbone.base import Layer
from ser.backbone.weights import Checkpoint, find_checkpoint
from ser.errors import InputError

#: Raised when the same weights come to yield other frames, so that no stored ones are taken for them.
FORWARD = 1


@dataclass(frozen=True)
class Transformer:
    """A network of transformers and its weights.

    Args:
        source: a folder or an id on the Hugging Face hub; ``None`` for random weights.
        revision: of an id on the hub.
        layer: hidden state that a head sees: 0 enters the first block, -1 is the last; or ``mix``.
        config: values of the network's configuration, in place of the checkpoint's; all of it for random weights.
        seed: of random weights.
        rate: sampling rate in Hz at which clips are read.
    """

    frames: ClassVar[bool] = True
    pretrained: ClassVar[bool] = True
    families: ClassVar[tuple[str, ...]]

    source: str | None = None
    revision: str | None = None
    layer: Layer = -1
    config: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    rate: int = 16000

    def __post_init__(self) -> None:
        plain: Any = self.config or {}
        if OmegaConf.is_config(plain):
            plain = OmegaConf.to_container(plain, resolve=True)
        object.__setattr__(self, "config", dict(plain))

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        """Files of the weights; none where they are random."""
        return find_checkpoint(self.source, self.revision) if self.source else None

    def read_config(self) -> dict[str, Any]:
        """The network's configuration, as the checkpoint and the user say.

        Raises:
            InputError: a network of another family, a checkpoint for another sampling rate.
        """
        checkpoint = self.checkpoint
        config = (checkpoint.read_config() if checkpoint else {}) | dict(self.config)
        family = config.get("model_type")
        if family not in self.families:
            raise InputError(
                f"backbone.source={self.source}: a network of the family {family}", expected=" or ".join(self.families)
            )
        rate = checkpoint.read_preprocessor().get("sampling_rate", self.rate) if checkpoint else self.rate
        if rate != self.rate:
            raise InputError(f"backbone.rate={self.rate}", expected=f"{rate} Hz, as {self.source} says")
        return config

    def bring(self, folder: Path) -> dict[str, Path]:
        """Write the encoder's weights and settings into a folder; see :mod:`ser.deployment.weights`."""
        if self.checkpoint is None:
            return {}
        from ser.language.folder import save_encoder

        network = self.build()  # type: ignore[attr-defined]
        save_encoder(network, self.checkpoint.read_preprocessor(), folder)
        return {"source": folder}

    def identify(self) -> dict[str, object]:
        """Family, versions, weights and parameters; what hidden states a head sees of them does not matter."""
        libraries = ("transformers",) if self.source else ("transformers", "torch")  # torch draws the random weights
        weights = {"weights": self.checkpoint.hash()} if self.checkpoint else {"seed": self.seed}
        return {
            "family": self.read_config()["model_type"],
            "versions": {name: version(name) for name in libraries},
            "forward": FORWARD,
            "config": dict(self.config),
            "rate": self.rate,
            **weights,
        }
