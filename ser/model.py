"""A model of a finished run, from sound to scores: everything between a waveform and a prediction in one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.audio.prepare import Preparation
from ser.errors import InputError
from ser.head.data import Model, Part, Predictions, Values
from ser.head.trunk import Trunk

if TYPE_CHECKING:
    from ser.head.end_to_end import EndToEnd


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """One fitted head with what lies under it.

    Attributes:
        name: of the fold that it was fitted in.
        trunk: backbone, fine-tuning, reading.
        preparation: how files become waveforms.
        head: as fitted.
        accelerator: ``cpu``, or others for the accelerator that there is.
    """

    name: str
    trunk: Trunk
    preparation: Preparation
    head: Model
    accelerator: str = "auto"

    @property
    def rate(self) -> int:
        """Sampling rate in Hz at which it hears clips."""
        return int(self.trunk.backbone.rate)

    @property
    def emotions(self) -> tuple[str, ...]:
        """Its classes, sorted; none where it predicts dimensions."""
        return self.head.emotions

    @property
    def is_network(self) -> bool:
        """Whether all of it is one network, from waveform to logits."""
        return self.trunk.backbone.frames and hasattr(self.head, "network")

    @cached_property
    def network(self) -> EndToEnd:
        """All of it as one network, where it is one."""
        from ser.head.end_to_end import join_network

        return join_network(self.trunk, self.head, self.accelerator)

    @cached_property
    def _encoder(self) -> Any:
        from ser.backbone.frames import Encoder, choose_device
        from ser.backbone.statistics import Frames, Statistics

        level = Frames(self.trunk.reading.layer) if self.trunk.reading.needs_frames else Statistics()
        return Encoder(self.trunk.backbone, level, choose_device(self.accelerator))

    def predict(self, waveforms: Sequence[np.ndarray] | Sequence[str]) -> Predictions | Values:
        """What it says of clips.

        Args:
            waveforms: of the clips, each [T] at :attr:`rate` and prepared as those it was trained on; or their
                transcripts, where the backbone reads these.

        Raises:
            InputError: the one in place of the other.
        """
        if any(isinstance(clip, str) != self.trunk.reads_text for clip in waveforms):
            reads, given = ("transcripts", "sound") if self.trunk.reads_text else ("sound", "transcripts")
            raise InputError(f"the model reads {reads}, and was given {given}")
        if self.is_network:
            return self.network.predict(self._encode(waveforms))
        names = [f"clip {number}" for number in range(len(waveforms))]
        samples = np.array([len(waveform) for waveform in waveforms])
        part = Part(pd.DataFrame({"clip": names}), samples, self.compute_features(waveforms, names), self.preparation)
        return self.head.predict(part)

    def _encode(self, clips: Sequence[Any]) -> Sequence[np.ndarray]:
        """What a network gets of clips: waveforms as they are, texts as tokens."""
        if not self.trunk.reads_text:
            return clips
        trained = self.is_network and self.trunk.trains  # its vocabulary may be that of the training texts
        encode = self.network.backbone.encode_text if trained else self.trunk.backbone.encode_text
        return [encode(clip) for clip in clips]  # type: ignore[operator]

    def compute_features(self, waveforms: Sequence[Any], names: Sequence[str]) -> np.ndarray:
        """Features [N, …] of a frozen backbone, as the feature store has them, of waveforms [T] or transcripts."""
        backbone, reading = self.trunk.backbone, self.trunk.reading
        if not backbone.frames:
            return np.stack([backbone.compute(waveform) for waveform in waveforms])
        from ser.backbone.statistics import combine, find_layer

        kept = self._encoder.encode(self._encode(waveforms), names)
        if reading.needs_frames:
            found = np.empty(len(kept), dtype=object)
            found[:] = kept
            return found
        combined = [combine(layers, reading.statistics) for layers in kept]
        if reading.layer == "mix":
            return np.stack(combined)
        return np.stack([layers[find_layer(reading.layer, len(layers))] for layers in combined])


def load_model(head: Any, trunk: Trunk, preparation: Preparation, folder: Path, accelerator: str) -> TrainedModel:
    """The model of a fold.

    Args:
        head: unfitted, as configured.
        trunk: as configured, with the weights that the fold started from.
        preparation: as configured.
        folder: with the checkpoints of the fold.
        accelerator: see :class:`TrainedModel`.

    Raises:
        InputError: there is none.
    """
    return TrainedModel(folder.name, trunk, replace(preparation), head.load(folder, trunk), accelerator)
