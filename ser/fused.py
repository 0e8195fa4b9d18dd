"""A model of a finished run that hears clips and reads them (``backbone=fusion``): each side alone, then both together.

    fused = finished.load_model(fold).fused
    audio = fused.encode_audio(waveforms)  # the audio branch runs once a clip
    text = fused.encode_texts(texts)       # the text branch once a text
    logits = fused.fuse(audio.take(first), text.take(second))  # any waveform with any text, [P, K]

What a pair yields depends on nothing but the pair. That is what explanations of modalities and of parts of one modality
ask for: the side that does not change is encoded once, and fusing is cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ser.audio.prepare import Preparation
from ser.errors import InputError
from ser.extraction import Extraction
from ser.fusion.network import FusedNetwork, State
from ser.head.data import Model, Part, Predictions, Values
from ser.head.fused_trunk import FusedTrunk
from ser.head.pair import Pair, PairedFeatures
from ser.head.trunk import Trunk
from ser.training.batches import PairedClips, pad

#: Clips that a branch reads at once, and pairs that are fused at once.
ENCODED, FUSED = 16, 256
#: Least probability that has a logarithm.
FLOOR = 1e-12


class Encoded(Sequence[Tensor]):
    """What a branch yields of clips: of each a vector [D], or frames [F, D] where those are fused.

    Args:
        clips: in order.
    """

    def __init__(self, clips: Sequence[Tensor]) -> None:
        self.clips = list(clips)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, place: Any) -> Any:
        return self.clips[place]

    def take(self, rows: Sequence[int] | np.ndarray) -> Encoded:
        """Some of the clips by position, as often as they are named."""
        return Encoded([self.clips[row] for row in rows])

    def batch(self, device: torch.device) -> State:
        """All of them as a batch."""
        lengths = torch.tensor([len(clip) if clip.ndim == 2 else 1 for clip in self.clips], device=device)
        return State(pad_sequence(self.clips, batch_first=True).to(device), lengths)


class FusedModel:
    """A fitted head on two branches.

    Args:
        trunk: of the run.
        head: as fitted.
        preparation: how files become waveforms.
        accelerator: ``cpu``, or others for the accelerator that there is.

    Raises:
        InputError: a trunk of one modality.
    """

    def __init__(self, trunk: Trunk, head: Model, preparation: Preparation, accelerator: str = "auto") -> None:
        if not isinstance(trunk, FusedTrunk):
            raise InputError(
                f"the model reads {'transcripts' if trunk.reads_text else 'sound'} alone: nothing is fused",
                expected="a run with backbone=fusion and fusion.modalities=both",
            )
        self.trunk = trunk
        self.head = head
        self.preparation = preparation
        self.accelerator = accelerator

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names of the outputs; none where numbers are predicted."""
        return self.head.emotions

    @cached_property
    def device(self) -> torch.device:
        """Where networks run."""
        from ser.backbone.frames import choose_device

        return choose_device(self.accelerator)

    @cached_property
    def network(self) -> FusedNetwork | None:
        """The fitted network; ``None`` where the head is an estimator of scikit-learn."""
        found = getattr(self.head, "network", None)
        return None if found is None else found.eval().requires_grad_(False).to(self.device)

    @cached_property
    def _extractions(self) -> Pair[Extraction]:
        return self.trunk.branches.map(lambda branch: Extraction(branch, self.accelerator))

    def encode_audio(self, waveforms: Sequence[np.ndarray]) -> Encoded:
        """The audio branch alone.

        Args:
            waveforms: of N clips, each [T] at the rate of the backbone, prepared as those that it was trained on.
        """
        return self._encode("audio", waveforms)

    def encode_texts(self, texts: Sequence[str]) -> Encoded:
        """The text branch alone.

        Args:
            texts: N transcripts; an empty one says nothing.
        """
        return self._encode("text", texts)

    def encode_part(self, part: Part) -> Pair[Encoded]:
        """Both branches, of clips whose features are stored where a branch is frozen (:mod:`ser.gather`)."""
        network = self.network
        if network is None:
            assert isinstance(part.features, PairedFeatures)
            return part.features.pair.map(lambda found: Encoded([*torch.from_numpy(np.asarray(found))]))
        clips = PairedClips(part, (), network.rate, encode=network.encode_text)
        return Pair(
            *(
                self._pass(name, [np.asarray(side.find_inputs(row)[0]) for row in range(len(part))])
                for name, side in zip(Pair._fields, (clips.heard, clips.read), strict=True)
            )
        )

    def fuse(self, audio: Encoded, text: Encoded) -> np.ndarray:
        """What the model says of pairs.

        Args:
            audio: what was heard in each of P pairs.
            text: what was said in each.

        Returns:
            Logits [P, K], or numbers in the unit of the ratings [P, D]; log probabilities where those are averaged
            (late fusion) or are all that there is (scikit-learn), none below :data:`FLOOR`.
        """
        if len(audio) != len(text):
            raise ValueError(f"{len(audio)} clips heard, {len(text)} read: they are paired one by one")
        if self.network is None:
            return log_probabilities(self._ask_head(audio, text))
        pairs = [slice(first, first + FUSED) for first in range(0, len(audio), FUSED)]
        return np.concatenate([self._fuse(audio[some], text[some]) for some in pairs])

    def predict(self, waveforms: Sequence[np.ndarray], texts: Sequence[str]) -> Predictions | Values:
        """What the model says of clips: of the first waveform with the first text, and so on."""
        audio, text = self.encode_audio(waveforms), self.encode_texts(texts)
        if self.network is None:
            return self._ask_head(audio, text)
        outputs = self.fuse(audio, text)
        if not self.emotions:
            return Values(self.head.dimensions, outputs)
        probabilities = torch.from_numpy(outputs).softmax(-1).numpy()
        return Predictions(self.emotions, np.array(self.emotions)[probabilities.argmax(1)], probabilities)

    def _encode(self, name: str, clips: Sequence[Any]) -> Encoded:
        """A branch alone, in batches."""
        found: list[Tensor] = []
        for first in range(0, len(clips), ENCODED):
            found += self._pass(name, self._read(name, clips[first : first + ENCODED]))
        return Encoded(found)

    def _read(self, name: str, clips: Sequence[Any]) -> Sequence[np.ndarray]:
        """What the network gets of clips: features of a frozen branch, samples or tokens of one that is trained."""
        if not getattr(self.trunk.branches, name).trains:
            names = [f"clip {number}" for number in range(len(clips))]
            return list(getattr(self._extractions, name).compute(clips, names))
        assert self.network is not None
        encode = self.network.encode_text
        return clips if name == "audio" or encode is None else [encode(clip) for clip in clips]

    @torch.inference_mode()
    def _pass(self, name: str, inputs: Sequence[np.ndarray]) -> Encoded:
        """What the network makes of what it gets of clips of one modality."""
        if self.network is None:
            return Encoded([torch.from_numpy(np.asarray(each)) for each in inputs])
        found: list[Tensor] = []
        for first in range(0, len(inputs), ENCODED):
            batch = inputs[first : first + ENCODED]
            lengths = torch.tensor([len(each) for each in batch], device=self.device)
            state = self.network.encode(name, pad(batch).to(self.device), lengths)
            whole = state.data.ndim == 2
            found += [
                values if whole else values[:count]
                for values, count in zip(state.data, state.lengths.tolist(), strict=True)
            ]
        return Encoded(found)

    @torch.inference_mode()
    def _fuse(self, audio: Sequence[Tensor], text: Sequence[Tensor]) -> np.ndarray:
        """Outputs [P, K] of one batch of pairs."""
        assert self.network is not None
        outputs = self.network.fuse(Encoded(audio).batch(self.device), Encoded(text).batch(self.device))
        if self.network.target_scale is not None:
            outputs = self.network.target_scale.decode(outputs)
        return outputs.double().cpu().numpy()

    def _ask_head(self, audio: Encoded, text: Encoded) -> Predictions | Values:
        """What an estimator of scikit-learn says of pairs."""
        features = PairedFeatures(*(torch.stack(side.clips).numpy() for side in (audio, text)))
        frame = pd.DataFrame({"clip": [f"pair {number}" for number in range(len(audio))]})
        return self.head.predict(Part(frame, np.zeros(len(audio), dtype=int), features, self.preparation))


def log_probabilities(said: Predictions | Values) -> np.ndarray:
    """Logarithms of probabilities; numbers as they are."""
    return said.predicted if isinstance(said, Values) else np.log(np.clip(said.probabilities, FLOOR, None))
