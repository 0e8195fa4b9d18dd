"""How a head reads frames: which hidden states, mixed when, pooled how. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ser.backbone.base import Layer
from ser.errors import InputError

if TYPE_CHECKING:
    from ser.head.reader import FrameReader

#: Fixed statistics over time.
STATISTICS = ("mean", "std", "max", "sum", "mean_plus_max")


@dataclass(frozen=True)
class Reading:
    """Layer and pooling of a run.

    Args:
        layer: a hidden state by number, or ``mix`` of all.
        statistics: fixed ones over time, side by side; or none, where ``network`` pools.
        network: size of a frame to a pooling that is trained.
        mix: ``after`` pooling each layer, or ``before``; only matters with ``layer=mix``.
        by_part: a ``network`` of its own for each part of a frame, where the backbone's frames have parts.
        keeps_frames: whether the frames themselves are wanted, not only what is pooled of them.

    Raises:
        InputError: both or none of ``statistics`` and ``network``, unknown names.
    """

    layer: Layer = -1
    statistics: Sequence[str] = ("mean",)
    network: Callable[[int], Any] | None = None
    mix: Literal["after", "before"] = "after"
    by_part: bool = False
    keeps_frames: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.layer, bool) or not (isinstance(self.layer, int) or self.layer == "mix"):
            raise InputError(f"backbone.layer={self.layer}", expected="a number (-1 is the last layer), or mix")
        if self.mix not in ("after", "before"):
            raise InputError(f"pooling.mix={self.mix}", expected="after or before")
        unknown = [name for name in self.statistics if name not in STATISTICS]
        if unknown or bool(self.statistics) == bool(self.network):
            raise InputError(
                f"pooling.statistics={list(self.statistics)}",
                expected=f"some of {', '.join(STATISTICS)}, or none of them and pooling.network",
            )
        if self.by_part and self.network is None:
            raise InputError(
                "pooling.by_part: fixed statistics are the same of each part", remedy="choose pooling=branches"
            )

    @classmethod
    def choose(cls, backbone: Any, pooling: Mapping[str, Any]) -> Reading:
        """What a backbone and a choice of ``conf/pooling`` say."""
        by_part = bool(pooling.get("by_part", False))  # only recurrent poolings have that key
        layer = getattr(backbone, "layer", -1)
        return cls(layer, tuple(pooling["statistics"]), pooling["network"], pooling["mix"], by_part)

    @property
    def learns(self) -> bool:
        """Whether it has weights of its own."""
        return self.network is not None or self.layer == "mix"

    @property
    def needs_frames(self) -> bool:
        """Whether statistics of each layer, which the feature store keeps, are not enough.

        The mean of a mix is the mix of the means; other statistics must wait for the mix if that comes before.
        """
        linear = set(self.statistics) <= {"mean", "sum"}
        if self.keeps_frames:
            return True
        return self.network is not None or (self.layer == "mix" and self.mix == "before" and not linear)

    def build(self, size: int, depth: int, parts: Sequence[int] = ()) -> FrameReader:
        """The network from hidden states to one vector.

        Args:
            size: of a frame.
            depth: of the backbone.
            parts: sizes of the parts of a frame, where it has some.
        """
        from ser.head.reader import FrameReader

        pooling = self.make_pooling(size, parts)
        return FrameReader(self.layer, depth, pooling, int(pooling.find_size(size)), self.mix == "before")

    def make_pooling(self, size: int, parts: Sequence[int] = ()) -> Any:
        """The network from frames of a size, and of parts of sizes, to one vector."""
        from ser.head.parts import PartsPooling
        from ser.head.pooling import StatisticsPooling

        if self.network is None:
            return StatisticsPooling(self.statistics)
        return PartsPooling(self.network, parts) if self.by_part else self.network(size)
