"""What all rules of fusion have in common: which modalities there are, and which are dropped. No torch in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ser.errors import InputError
from ser.head.pair import Pair

if TYPE_CHECKING:
    from torch import nn

    from ser.fusion.network import Branch, FusedNetwork
    from ser.head.data import Part
    from ser.head.reading import Reading

MODALITIES = Pair._fields


@dataclass(frozen=True)
class Rule:
    """A choice of ``conf/fusion``.

    Args:
        modalities: ``both``; or ``audio`` or ``text``, and the other branch is not built.
        dropout: of ``audio`` and of ``text``: the share of training clips of which the model does not get it. Never
            both of a clip.

    Raises:
        InputError: another modality, shares that leave a clip with nothing.
    """

    #: Whether the frames of branches are fused; else their pooled vectors.
    reads_frames: ClassVar[bool] = False

    modalities: str = "both"
    dropout: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(MODALITIES, 0.0))

    def __post_init__(self) -> None:
        if self.modalities not in (*MODALITIES, "both"):
            raise InputError(f"fusion.modalities={self.modalities}", expected="audio, text or both")
        shares = [float(self.dropout[name]) for name in MODALITIES]
        if min(shares) < 0 or sum(shares) > 1:
            raise InputError(
                f"fusion.dropout: audio={shares[0]:g}, text={shares[1]:g}",
                expected="shares of the clips, at most 1 together, so that one modality always remains",
            )

    @property
    def learns(self) -> bool:
        """Whether it has weights, or does in training what it does not do later."""
        return any(self.dropout.values())

    @property
    def needs_validation(self) -> bool:
        """Whether it chooses something on validation clips."""
        return False

    def check(self, readings: Pair[Reading]) -> None:
        """Raise InputError where what is read like this cannot be fused."""

    def connect(
        self,
        backbones: Pair[nn.Module | None],
        branches: Pair[Branch],
        readings: Pair[Reading],
        make_layers: Callable[[int], nn.Module],
        target_scale: Any = None,
    ) -> FusedNetwork:
        """The network from both branches to the outputs.

        Args:
            backbones: those that are trained.
            branches: above them, or above features.
            readings: of the branches.
            make_layers: length of a vector to what lies between that and the outputs.
            target_scale: of dimensions; ``None`` with logits.
        """
        from ser.fusion.network import JointNetwork

        join: Any = self.build(branches.map(lambda branch: branch.size), readings)
        return JointNetwork(backbones, branches, join, make_layers(join.size), self.dropout, target_scale)

    def build(self, sizes: Pair[int], readings: Pair[Reading]) -> nn.Module:
        """What makes one vector, as long as its ``size``, of two :class:`ser.fusion.network.State`.

        Args:
            sizes: of the vectors or frames of the branches.
            readings: of the branches.
        """
        raise NotImplementedError

    def settle(self, network: Any, validation: Part | None, emotions: Sequence[str], batch_size: int) -> None:
        """Choose what is chosen on validation clips once the weights are trained: nothing.

        Args:
            network: as :meth:`connect` made it.
            validation: the clips, if there are any.
            emotions: of the network; none where it predicts dimensions.
            batch_size: clips at once.
        """
