"""What lies under a head: a backbone, how it is fine-tuned, how its frames are read. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ser.errors import InputError
from ser.finetune.frozen import Frozen
from ser.head.reading import Reading

if TYPE_CHECKING:
    from torch import nn

    from ser.finetune.base import Policy
    from ser.head.reader import FrameReader


@dataclass(frozen=True)
class Trunk:
    """A backbone as a run uses it.

    Attributes:
        backbone: :class:`ser.backbone.base.Functionals` or :class:`ser.backbone.base.FrameBackbone`.
        policy: which of its weights are trained.
        reading: which layer, pooled how.
    """

    backbone: Any
    policy: Policy = field(default_factory=Frozen)
    reading: Reading = field(default_factory=Reading)

    @property
    def trains(self) -> bool:
        """Whether heads get audio, because the backbone is trained with them; otherwise they get features."""
        return self.backbone.frames and self.policy.trains

    def check(self) -> None:
        """Raise InputError where backbone, fine-tuning and reading do not go together."""
        self.policy.check(self.backbone)
        if not self.backbone.frames and self.reading != Reading():
            raise InputError(
                f"pooling: {type(self.backbone).__name__} yields one vector a clip, there are no frames to pool",
                remedy="leave out pooling=…",
            )

    def identify(self) -> dict[str, object]:
        """What the configuration does not say of the features or of the weights that training starts from."""
        return self.backbone.identify()

    def build(self) -> tuple[nn.Module, FrameReader]:
        """The network to be trained, with its weights, and the network that reads its frames."""
        from ser.finetune.full import freeze_above

        network = self.policy.apply(self.backbone.build())
        reader = self.reading.build(network.dim, network.depth)
        freeze_above(network, self.reading.layer)
        return network, reader
