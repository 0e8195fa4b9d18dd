"""Tracks A3 and A4 as plans: clips of the lens, and clips of the lens with a shortcut to the label in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ser.dataset.manifest import PARTS
from ser.dataset.planted.channel import Channel, draw_channel
from ser.dataset.planted.clip import (
    SENTENCES,
    Clip,
    Script,
    compose_numbered,
    deal,
    find_part,
    introduce_speaker,
    make_clip,
    name_clip,
)
from ser.dataset.planted.folder import Place
from ser.dataset.planted.lens import LENS_CUES, LENS_EMOTIONS, draw_cues, infer_emotions
from ser.dataset.planted.streams import Stream, open_stream

#: What a shortcut may be.
SHORTCUTS = ("noise", "channel", "speaker")
#: The six states of a shortcut, and the one between them that says nothing.
SNR_STATES, SNR_NEUTRAL = (10.0, 16.0, 22.0, 28.0, 34.0, 40.0), 25.0  # dB
CUTOFF_STATES, CUTOFF_NEUTRAL = (2200.0, 2800.0, 3600.0, 4600.0, 5900.0, 7500.0), 4100.0  # Hz


@dataclass(frozen=True)
class LensPlan:
    """Track A3; a larger plan starts with the same clips."""

    speakers: int
    utterances_per_speaker: int
    seed: int
    strength: float

    def identify(self) -> Mapping[str, object]:
        """All that changes the audio."""
        return asdict(self)

    def list_places(self) -> list[Place]:
        """Every speaker with every utterance."""
        return [(speaker, take) for speaker in range(self.speakers) for take in range(self.utterances_per_speaker)]

    def make(self, speaker: int, utterance: int) -> Clip:
        """One clip by the numbers of its speaker and utterance."""
        kind, sentence = self.deal(speaker, utterance)
        emotion, key = LENS_EMOTIONS[kind], (self.seed, speaker, utterance)
        z, doses = draw_cues(emotion, key, self.strength)
        voice = introduce_speaker(self.seed, speaker)
        script = Script(voice, compose_numbered(self.seed, sentence), key, draw_channel(key), doses)
        own = {f"z_{cue}": value for cue, value in z.items()}
        return make_clip(name_clip(speaker, utterance), emotion, script, own)

    def deal(self, speaker: int, utterance: int) -> tuple[int, int]:
        """The number of the emotion and that of the sentence: all emotions equally often in each sentence."""
        return deal(self.seed, speaker, utterance, len(LENS_EMOTIONS), SENTENCES)

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With the part of each speaker, what resynthesis needs, and the ideal observer's answers."""
        numbers = frame["clip"].str.extract(r"^s(?P<speaker>\d+)_(?P<draw>\d+)$").astype(int)
        posterior = infer_emotions(frame[[f"z_{cue}" for cue in LENS_CUES]], self.strength)
        return frame.assign(
            split=[find_part(speaker) for speaker in numbers["speaker"]],
            seed=self.seed,
            draw=numbers["draw"],
            strength=self.strength,
            ideal=np.array(LENS_EMOTIONS)[posterior.argmax(axis=1)],
        )


@dataclass(frozen=True)
class ShortcutPlan:
    """Track A4: the lens, and a nuisance that goes with the emotion in training and validation, not in the test part.

    Args:
        lens: the cues, the speakers and the seed.
        utterances: of each speaker of the training, validation and test part.
        shortcut: one of :data:`SHORTCUTS`.
        rho: share of the training clips in which the shortcut tells the emotion; in the others it is drawn at random.
    """

    lens: LensPlan
    utterances: tuple[int, int, int]
    shortcut: str
    rho: float

    def identify(self) -> Mapping[str, object]:
        """All that changes the audio."""
        own = {"utterances": list(self.utterances), "shortcut": self.shortcut, "rho": self.rho}
        return {"track": "A4", "lens": asdict(replace(self.lens, utterances_per_speaker=0)), **own}

    def list_places(self) -> list[Place]:
        """Every speaker with every utterance of his part."""
        return list_places(self.lens.speakers, self.utterances)

    def make(self, speaker: int, utterance: int) -> Clip:
        """One clip by the numbers of its speaker and utterance."""
        key = (self.lens.seed, speaker, utterance)
        kind, sentence = self.lens.deal(speaker, utterance)
        rng = open_stream(Stream.SHORTCUT, key)
        # Validation data come from where the training data come from, in this track as in life.
        follows = rng.random() < (0.0 if find_part(speaker) == "test" else self.rho)
        state, channel = int(rng.integers(len(LENS_EMOTIONS))), draw_channel(key)
        if self.shortcut == "speaker":
            kind, told = (self._find_favourite(speaker) if follows else kind), None
        else:
            state = kind if follows else state
            channel, told = self._tell(channel, state), LENS_EMOTIONS[state]
        emotion = LENS_EMOTIONS[kind]
        z, doses = draw_cues(emotion, key, self.lens.strength)
        voice = introduce_speaker(self.lens.seed, speaker)
        script = Script(voice, compose_numbered(self.lens.seed, sentence), key, channel, doses)
        own: dict[str, object] = {f"z_{cue}": value for cue, value in z.items()}
        own |= {"shortcut": self.shortcut, "shortcut_emotion": told, "rho": self.rho}
        return make_clip(name_clip(speaker, utterance), emotion, script, own)

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """As in track A3; the ideal observer reads the cues alone."""
        return self.lens.complete(frame)

    def _tell(self, channel: Channel, kind: int) -> Channel:
        """The channel in the state that stands for an emotion; which state does is up to the seed."""
        state = int(open_stream(Stream.SHORTCUT, (self.lens.seed,)).permutation(len(LENS_EMOTIONS))[kind])
        if self.shortcut == "noise":
            return replace(channel, snr_db=SNR_STATES[state])
        return replace(channel, cutoff_hz=CUTOFF_STATES[state])

    def _find_favourite(self, speaker: int) -> int:
        """The number of the emotion that a speaker shows most: all occur as often, as far as speakers go round."""
        before = [other for other in range(speaker) if find_part(other) == find_part(speaker)]
        return len(before) % len(LENS_EMOTIONS)


def list_places(speakers: int, utterances: tuple[int, int, int]) -> list[Place]:
    """Every speaker with every utterance, as many as the speaker's part has."""
    counts = dict(zip(PARTS, utterances, strict=True))
    return [(speaker, take) for speaker in range(speakers) for take in range(counts[find_part(speaker)])]
