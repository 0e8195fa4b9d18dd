"""Track A0 as a plan: the same utterance with every cue at rising doses, for calibrating what measures cues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ser.dataset.planted.channel import Channel
from ser.dataset.planted.clip import SENTENCES, Clip, Script, compose_numbered, introduce_speaker, make_clip
from ser.dataset.planted.cues import CUES, Array
from ser.dataset.planted.folder import Place

#: A good microphone, far enough away that the loudest dose does not clip.
CHANNEL = Channel(snr_db=60.0, gain_db=-6.0, shelf_db=0.0)
#: Semitones; the ladder of F0 ends before its range does, where voices change their register.
F0_LADDER = 6.0


@dataclass(frozen=True)
class LadderPlan:
    """A ladder for every cue of every utterance.

    Args:
        speakers: how many.
        utterances: of each speaker; every one is spoken ``steps`` times for each cue.
        steps: doses of a cue, evenly from the lowest to the highest.
        seed: of everything random.
        cues: which ones.
    """

    speakers: int
    utterances: int
    steps: int
    seed: int
    cues: tuple[str, ...]

    def identify(self) -> Mapping[str, object]:
        """All that changes the audio."""
        return {"track": "A0", **asdict(self)}

    def list_places(self) -> list[Place]:
        """Every speaker with every step of every ladder."""
        count = self.utterances * len(self.cues) * self.steps
        return [(speaker, place) for speaker in range(self.speakers) for place in range(count)]

    def make(self, speaker: int, utterance: int) -> Clip:
        """One step; an utterance keeps its random draws on all its ladders."""
        draw, rung = divmod(utterance, len(self.cues) * self.steps)
        place, step = divmod(rung, self.steps)
        cue, key = self.cues[place], (self.seed, speaker, draw)
        dose = float(list_doses(cue, self.steps)[step])
        sentence = compose_numbered(self.seed, draw % SENTENCES)
        voice = introduce_speaker(self.seed, speaker)
        script = Script(voice, sentence, key, CHANNEL, {cue: dose})
        group = f"{voice.name}_{draw:03d}"
        own = {"draw": draw, "matched_pair_id": group, "ladder": cue, "step": step, "dose": dose}
        return make_clip(f"{group}_{cue}_{step}", None, script, own)

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With the seed; nobody trains on this track."""
        return frame.assign(seed=self.seed)


def list_doses(cue: str, steps: int) -> Array:
    """The doses of a ladder, ``[steps]``."""
    low, high = next((one.low, one.high) for one in CUES if one.name == cue)
    if cue == "f0_level":
        low, high = -F0_LADDER, F0_LADDER
    return np.linspace(low, high, steps)
