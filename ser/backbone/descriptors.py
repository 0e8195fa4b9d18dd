"""openSMILE's low-level descriptors as sequences of frames, each clip by itself. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from ser.backbone.functionals import make_smile

if TYPE_CHECKING:
    from ser.backbone.descriptor_network import DescriptorNetwork


@dataclass(frozen=True)
class Descriptors:
    """A frame every 10 ms with what openSMILE's functionals summarise; nothing in it is trained.

    Args:
        feature_set: name in ``opensmile.FeatureSet``, e.g. ``eGeMAPSv02`` (25 descriptors).
        rate: sampling rate in Hz at which clips are read.
    """

    frames: ClassVar[bool] = True
    pretrained: ClassVar[bool] = True
    trainable: ClassVar[bool] = False
    layer: ClassVar[int] = -1

    feature_set: str = "eGeMAPSv02"
    rate: int = 16000

    def identify(self) -> dict[str, object]:
        """Name, version and parameters."""
        return {
            "extractor": "opensmile",
            "version": version("opensmile"),
            "feature_set": self.feature_set,
            "level": "descriptors",
            "rate": self.rate,
        }

    @cached_property
    def names(self) -> list[str]:
        """Names of the descriptors, as openSMILE prints them.

        Raises:
            InputError: a feature set that openSMILE does not have.
        """
        return list(make_smile(self.feature_set, "LowLevelDescriptors").feature_names)

    def build(self) -> DescriptorNetwork:
        """What computes them."""
        from ser.backbone.descriptor_network import DescriptorNetwork

        return DescriptorNetwork(self.feature_set, self.rate, len(self.names))
