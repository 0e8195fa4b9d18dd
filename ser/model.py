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
from ser.extraction import Extraction
from ser.head.data import Model, Part, Predictions, Values
from ser.head.fused_trunk import FusedTrunk
from ser.head.trunk import Trunk

if TYPE_CHECKING:
    from ser.fused import FusedModel
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
    def fused(self) -> FusedModel:
        """All of it where clips are heard and read: each side alone, then both together.

        Raises:
            InputError: it reads one modality.
        """
        from ser.fused import FusedModel

        return FusedModel(self.trunk, self.head, self.preparation, self.accelerator)

    @cached_property
    def extraction(self) -> Extraction:
        """Its backbone, where that is frozen and features are given to the head."""
        return Extraction(self.trunk, self.accelerator)

    def predict(self, clips: Sequence[Any]) -> Predictions | Values:
        """What it says of clips.

        Args:
            clips: what it reads of each: a waveform [T] at :attr:`rate`, prepared as those it was trained on; a
                transcript; or a pair of both.

        Raises:
            InputError: one in place of another.
        """
        reads = name_inputs(self.trunk)
        if given := next((given for given in map(name_input, clips) if given != reads), ""):
            raise InputError(f"the model reads {reads}, and was given {given}")
        if isinstance(self.trunk, FusedTrunk):
            return self.fused.predict(*zip(*clips, strict=True))
        if self.is_network:
            return self.network.predict(self._encode(clips))
        names = [f"clip {number}" for number in range(len(clips))]
        samples = np.array([len(clip) for clip in clips])
        part = Part(pd.DataFrame({"clip": names}), samples, self.compute_features(clips, names), self.preparation)
        return self.head.predict(part)

    def _encode(self, clips: Sequence[Any]) -> Sequence[np.ndarray]:
        """What a network gets of clips: waveforms as they are, texts as tokens."""
        if not self.trunk.reads_text:
            return clips
        # The vocabulary of one that was trained may be that of the training texts.
        reader: Any = self.network.backbone if self.trunk.trains else self.trunk.backbone
        return [reader.encode_text(clip) for clip in clips]

    def compute_features(self, clips: Sequence[Any], names: Sequence[str]) -> np.ndarray:
        """Features [N, …] of a frozen backbone, as the feature store has them, of waveforms [T] or transcripts."""
        return self.extraction.compute(clips, names)


def name_inputs(trunk: Trunk) -> str:
    """What a model reads of a clip, in words."""
    if isinstance(trunk, FusedTrunk):
        return "sound and transcript"
    return "transcripts" if trunk.reads_text else "sound"


def name_input(clip: Any) -> str:
    """What a model was given of a clip, in words."""
    if isinstance(clip, tuple):
        return "sound and transcript" if [isinstance(part, str) for part in clip] == [False, True] else "something else"
    return "transcripts" if isinstance(clip, str) else "sound"


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
