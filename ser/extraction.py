"""A frozen backbone of a finished run, from clips to features as the feature store has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ser.head.trunk import Trunk


@dataclass(frozen=True, eq=False)
class Extraction:
    """What a frozen backbone yields of clips that are not in the store, perhaps not even in a file.

    Attributes:
        trunk: the backbone, and how its frames are read.
        accelerator: ``cpu``, or others for the accelerator that there is.
    """

    trunk: Trunk
    accelerator: str = "auto"

    @cached_property
    def _encoder(self) -> Any:
        from ser.backbone.frames import Encoder, choose_device
        from ser.backbone.statistics import Frames, Statistics

        level = Frames(self.trunk.reading.layer) if self.trunk.reading.needs_frames else Statistics()
        return Encoder(self.trunk.backbone, level, choose_device(self.accelerator))

    def compute(self, clips: Sequence[Any], names: Sequence[str]) -> np.ndarray:
        """Features [N, …] of waveforms [T] or, where the backbone reads these, of transcripts.

        Args:
            clips: in one batch.
            names: of the clips, for messages.
        """
        backbone, reading = self.trunk.backbone, self.trunk.reading
        if not backbone.frames:
            return np.stack([backbone.compute(clip) for clip in clips])
        from ser.backbone.statistics import combine, find_layer

        given = [backbone.encode_text(clip) for clip in clips] if self.trunk.reads_text else clips
        kept = self._encoder.encode(given, names)
        if reading.needs_frames:
            found = np.empty(len(kept), dtype=object)
            found[:] = kept
            return found
        combined = [combine(layers, reading.statistics) for layers in kept]
        if reading.layer == "mix":
            return np.stack(combined)
        return np.stack([layers[find_layer(reading.layer, len(layers))] for layers in combined])
