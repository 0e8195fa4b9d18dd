"""What lies under a head where clips are heard and read: a trunk of each modality, and the rule that fuses them.

Of one modality alone nothing is fused: that is an ordinary trunk, and the other branch is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ser.backbone.base import is_trainable
from ser.backbone.fusion import Fusion
from ser.errors import InputError
from ser.finetune.frozen import Frozen
from ser.finetune.full import Full
from ser.fusion.base import Rule
from ser.head.pair import Pair, PairedFeatures
from ser.head.reading import Reading
from ser.head.trunk import Trunk

if TYPE_CHECKING:
    from torch import nn

    from ser.finetune.base import Policy
    from ser.fusion.network import FusedNetwork
    from ser.head.data import Part
    from ser.head.emotion_network import Shape, TargetScale


@dataclass(frozen=True)
class PairedShape:
    """What clips come as, by modality: see :class:`ser.head.emotion_network.Shape`."""

    pair: Pair[Shape]

    def describe(self) -> dict[str, Any]:
        """For ``model.json``."""
        return {name: shape.describe() for name, shape in self.pair._asdict().items()}


@dataclass(frozen=True)
class PairedPolicy:
    """Fine-tuning of both branches, once each has been checked and prepared by its own policy.

    Args:
        pair: policies by modality.
    """

    pair: Pair[Policy]

    @property
    def trains(self) -> bool:
        """Whether anything of either is trained."""
        return any(policy.trains for policy in self.pair)

    def group_parameters(self, network: Any, lr: float) -> list[Mapping[str, Any]]:
        """Groups for the optimizer of networks by modality."""
        pairs = [(getattr(self.pair, name), branch) for name, branch in network.items()]
        return [group for policy, branch in pairs for group in policy.group_parameters(branch, lr)]

    def begin_epoch(self, network: Any, epoch: int) -> None:
        """What changes in networks by modality when an epoch begins."""
        for name, branch in network.items():
            getattr(self.pair, name).begin_epoch(branch, epoch)


@dataclass(frozen=True)
class FusedTrunk(Trunk):
    """Two backbones as a run uses them.

    Attributes:
        backbone: a :class:`ser.backbone.fusion.Fusion`.
        policy: of both branches.
        reading: of no meaning; each branch has its own.
        branches: by modality.
        rule: which fuses them.
    """

    branches: Pair[Trunk] = field(kw_only=True)
    rule: Rule = field(kw_only=True)

    @property
    def trains(self) -> bool:
        """Whether anything of either branch is trained."""
        return any(branch.trains for branch in self.branches)

    @property
    def trains_on_sound(self) -> bool:
        """Whether the audio branch is trained."""
        return self.branches.audio.trains

    @property
    def learns(self) -> bool:
        """Whether something is trained between features and a head: in a branch, or where they are fused."""
        return self.rule.learns or any(branch.learns for branch in self.branches)

    @property
    def text(self) -> Trunk:
        """What of it reads transcripts."""
        return self.branches.text

    def check(self) -> None:
        """Raise InputError where branches, or what fuses them, do not go together."""
        for branch in self.branches:
            branch.check()
        self.rule.check(self.branches.map(lambda branch: branch.reading))

    def check_training(self, augmentation: Any, training: Any) -> None:  # noqa: ARG002 - trunks are alike
        """Raise InputError where training mixes clips, or has no clips to choose on what the rule chooses."""
        if training is not None and training.mixup:
            raise InputError(
                "trainer.mixup: what is heard of two clips can be added up, what is said in them cannot",
                remedy="trainer.mixup=0",
            )
        if self.rule.needs_validation and (training is None or training.early_stopping is None):
            raise InputError(
                "fusion.weight=validation: nothing is validated", remedy="pass fusion.weight=0.5, or stop early"
            )

    def check_clips(self, frame: pd.DataFrame) -> None:
        """Raise InputError where rows of a manifest lack transcripts."""
        self.text.check_clips(frame)

    def learn(self, frame: pd.DataFrame) -> FusedTrunk:
        """The same with what the text branch learns of training clips before it is built."""
        return replace(self, branches=self.branches._replace(text=self.text.learn(frame)))

    def recall(self, vocabulary: Sequence[str] | None) -> FusedTrunk:
        """The same with the vocabulary that a saved model had learned, if any."""
        return replace(self, branches=self.branches._replace(text=self.text.recall(vocabulary)))

    def identify(self) -> dict[str, object]:
        """What the configuration does not say of both branches."""
        return self.backbone.identify()

    def find_shape(self, features: PairedFeatures) -> PairedShape:  # type: ignore[override]
        """What the clips of a part come as, by their features."""
        return PairedShape(Pair(*(branch.find_shape(found) for branch, found in self._zip(features.pair))))

    def read_shape(self, saved: Mapping[str, Any]) -> PairedShape:  # type: ignore[override]
        """The same from what a model has kept of it."""
        pairs = self._zip(Pair(saved["audio"], saved["text"]))
        return PairedShape(Pair(*(branch.read_shape(found) for branch, found in pairs)))

    def connect(
        self, shape: PairedShape, make_layers: Callable[[int], nn.Module], target_scale: TargetScale | None = None
    ) -> FusedNetwork:
        """The network from what clips come as to the outputs."""
        from ser.fusion.network import make_branch

        made = [make_branch(found, branch, self.rule.reads_frames) for branch, found in self._zip(shape.pair)]
        backbones, branches = (Pair(*each) for each in zip(*made, strict=True))
        readings = self.branches.map(lambda branch: branch.reading)
        return self.rule.connect(backbones, branches, readings, make_layers, target_scale)

    def settle(self, network: Any, validation: Part | None, emotions: Sequence[str], batch_size: int) -> None:
        """Choose what the rule chooses once weights are trained."""
        self.rule.settle(network, validation, emotions, batch_size)

    def _zip(self, pair: Pair[Any]) -> list[tuple[Trunk, Any]]:
        return list(zip(self.branches, pair, strict=True))


def fuse(backbone: Fusion, rule: Rule, policy: Policy, pooling: Mapping[str, Any]) -> Trunk:
    """What lies under the head: both branches, or the one that ``fusion.modalities`` names.

    A branch is pooled and fine-tuned as ``backbone.pooling`` and ``backbone.finetune`` say of it; else as the run says,
    where that means something to it. A network that starts untrained is trained.

    Args:
        backbone: both backbones.
        rule: how they are fused.
        policy: the run's choice of ``conf/finetune``.
        pooling: the run's choice of ``conf/pooling``.

    Raises:
        InputError: a choice of the run that means nothing to either branch.
    """
    branches = Pair(*(make_branch(backbone, name, rule, policy, pooling) for name in Pair._fields))
    if policy.trains and not any(branch.policy is policy for branch in branches):
        raise InputError(
            f"finetune: neither {type(backbone.audio).__name__} nor {type(backbone.text).__name__} is fine-tuned by it",
            expected="a branch with weights, and without a choice of its own",
            remedy="leave out finetune=…, or choose backbone@backbone.audio or backbone@backbone.text with weights",
        )
    shared = Reading.choose(None, pooling)
    if shared != Reading() and not any(is_shared(backbone, name) for name in Pair._fields):
        raise InputError(
            "pooling: either branch has a pooling of its own, or no frames to pool", remedy="leave out pooling=…"
        )
    if rule.modalities != "both":
        return getattr(branches, rule.modalities)
    policies: Any = PairedPolicy(branches.map(lambda branch: branch.policy))
    return FusedTrunk(backbone, policies, branches=branches, rule=rule)


def make_branch(backbone: Fusion, name: str, rule: Rule, policy: Policy, pooling: Mapping[str, Any]) -> Trunk:
    """One branch by name; see :func:`fuse`."""
    own = getattr(backbone, name)
    pooled = pooling if is_shared(backbone, name) else backbone.pooling.get(name)
    reading = Reading() if pooled is None else Reading.choose(own, pooled)
    if rule.reads_frames and rule.modalities == "both" and own.frames:
        reading = replace(reading, keeps_frames=True)
    return Trunk(own, backbone.finetune.get(name) or choose_policy(own, policy), reading, f"backbone.{name}")


def is_shared(backbone: Fusion, name: str) -> bool:
    """Whether a branch is pooled as the run says."""
    return backbone.pooling.get(name) is None and getattr(backbone, name).frames


def choose_policy(backbone: Any, policy: Policy) -> Policy:
    """How a branch without a choice of its own is fine-tuned, where the run has that policy."""
    if not is_trainable(backbone):
        return Frozen()
    if backbone.pretrained or getattr(policy, "from_scratch", False):
        return policy
    return Full()
