"""What lies under a head: a backbone, how it is fine-tuned, how its frames are read. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.backbone.base import reads_text
from ser.errors import InputError
from ser.finetune.frozen import Frozen
from ser.head.reading import Reading

if TYPE_CHECKING:
    from torch import nn

    from ser.finetune.base import Policy
    from ser.head.data import Part
    from ser.head.emotion_network import Shape, TargetScale
    from ser.head.kept import KeptNetwork
    from ser.head.reader import FrameReader


@dataclass(frozen=True)
class Trunk:
    """A backbone as a run uses it.

    Attributes:
        backbone: :class:`ser.backbone.base.Functionals` or :class:`ser.backbone.base.FrameBackbone`.
        policy: which of its weights are trained.
        reading: which layer, pooled how.
        key: where the configuration has the backbone, for messages.
    """

    backbone: Any
    policy: Policy = field(default_factory=Frozen)
    reading: Reading = field(default_factory=Reading)
    key: str = "backbone"

    @property
    def trains(self) -> bool:
        """Whether heads get audio, because the backbone is trained with them; otherwise they get features."""
        return self.backbone.frames and self.policy.trains

    @property
    def trains_on_sound(self) -> bool:
        """Whether sound is heard in training, and not features that were made of it before."""
        return self.trains and not self.reads_text

    @property
    def learns(self) -> bool:
        """Whether something is trained between features and a head: a pooling, a mix of layers."""
        return self.backbone.frames and self.reading.learns

    @property
    def parts(self) -> tuple[int, ...]:
        """Sizes of the parts that a frame has; none where it is a whole."""
        return tuple(getattr(self.backbone, "part_sizes", {}).values())

    @property
    def reads_text(self) -> bool:
        """Whether it reads transcripts in place of audio."""
        return reads_text(self.backbone)

    @property
    def text(self) -> Trunk | None:
        """What of it reads transcripts."""
        return self if self.reads_text else None

    def check(self) -> None:
        """Raise InputError where backbone, fine-tuning and reading do not go together."""
        self.policy.check(self.backbone)
        if not self.backbone.frames and self.reading != Reading():
            raise InputError(
                f"pooling: {type(self.backbone).__name__} yields one vector a clip, there are no frames to pool",
                remedy="leave out pooling=…",
            )
        if self.reading.by_part and not self.parts:
            raise InputError(
                f"pooling.by_part: the frames of {type(self.backbone).__name__} have no parts",
                expected="a backbone with parts: sequences",
                remedy="pass pooling=gru, which reads frames as a whole",
            )

    def check_training(self, augmentation: Any, training: Any) -> None:
        """Raise InputError where training would do what cannot be done with what is read.

        Args:
            augmentation: of sound, or ``None``.
            training: a :class:`ser.training.fit.Training`; ``None`` where nothing is trained by epochs.
        """
        name = type(self.backbone).__name__
        if self.reads_text and augmentation is not None:
            raise InputError(f"augmentation: {name} reads transcripts, sound is not heard", remedy="augmentation=none")
        if self.reads_text and self.trains and training is not None and training.mixup:
            raise InputError(
                f"trainer.mixup: {name} is trained on tokens, which cannot be added up", remedy="trainer.mixup=0"
            )

    def check_clips(self, frame: pd.DataFrame) -> None:
        """Raise InputError where rows of a manifest lack what the backbone reads: transcripts."""
        if self.reads_text:
            from ser.backbone.texts import read_texts

            read_texts(frame, self.backbone.missing, self.key)

    def learn(self, frame: pd.DataFrame) -> Trunk:
        """The same with what a backbone learns of training clips before it is built: its vocabulary, if it has one."""
        if not hasattr(self.backbone, "learn"):
            return self
        from ser.backbone.texts import read_texts

        return replace(self, backbone=self.backbone.learn(read_texts(frame, self.backbone.missing)))

    def recall(self, vocabulary: Sequence[str] | None) -> Trunk:
        """The same with the vocabulary that a saved model had learned, if any."""
        return self if vocabulary is None else replace(self, backbone=self.backbone.recall(vocabulary))

    def identify(self) -> dict[str, object]:
        """What the configuration does not say of the features or of the weights that training starts from."""
        return self.backbone.identify()

    def build(self) -> tuple[nn.Module, FrameReader]:
        """The network to be trained, with its weights, and the network that reads its frames."""
        from ser.finetune.full import freeze_above

        network = self.policy.apply(self.backbone.build())
        reader = self.reading.build(network.dim, network.depth, self.parts)
        if self.trains:
            freeze_above(network, self.reading.layer)
        return network, reader

    def find_shape(self, features: Any) -> Shape:
        """What the clips of a part come as, by their features."""
        from ser.head.emotion_network import Shape

        return Shape.find(features)

    def read_shape(self, saved: Mapping[str, Any]) -> Shape:
        """The same from what a model has kept of it."""
        from ser.head.emotion_network import Shape

        return Shape(saved["features"], tuple(saved["sizes"]))

    def connect(
        self, shape: Any, make_layers: Callable[[int], nn.Module], target_scale: TargetScale | None = None
    ) -> KeptNetwork:
        """The network from what clips come as to the outputs.

        Args:
            shape: of the clips, from :meth:`find_shape`.
            make_layers: length of a vector to what lies between that and the outputs.
            target_scale: of dimensions; ``None`` with logits.
        """
        from ser.head.emotion_network import EmotionNetwork, make_reader

        backbone, reader, size = make_reader(shape, self)
        return EmotionNetwork(backbone, reader, shape.sizes, make_layers(size), target_scale)

    def settle(self, network: Any, validation: Part | None, emotions: Sequence[str], batch_size: int) -> None:
        """Choose what is chosen once weights are trained, if anything is: see :meth:`ser.fusion.base.Rule.settle`."""
