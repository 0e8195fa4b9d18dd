"""RAVDESS, audio files (Livingstone and Russo, PLoS ONE 2018): North American English, acted, 24 speakers.

File names are ``<modality>-<channel>-<emotion>-<intensity>-<statement>-<repetition>-<actor>.wav``, two digits each, in
folders ``Actor_01`` … ``Actor_24``, e.g. ``Actor_12/03-01-06-01-02-01-12.wav``. Modality 03 is audio alone; odd actors
are men; neutral exists at normal intensity only; actor 18 does not sing, and nobody sings disgust or surprise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ser.dataset.files import find_audio, read_names
from ser.dataset.harmonise import find_emotion, list_emotions
from ser.dataset.info import CorpusInfo, Download
from ser.dataset.manifest import Manifest
from ser.errors import InputError

TEXTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
CHANNELS = {"01": "speech", "02": "song"}
INTENSITIES = {"01": "normal", "02": "strong"}
CHOICES = {
    "channel": ("speech", "song", "both"),
    "intensity": ("all", "normal", "strong"),
    "calm": ("own", "neutral", "drop"),
}
#: Of the speech; song has 1,012 clips.
INFO = CorpusInfo(
    title="Ryerson Audio-Visual Database of Emotional Speech and Song, speech audio",
    language="en",
    emotions={emotion: 96 if emotion == "neutral" else 192 for emotion in list_emotions("ravdess")},
    speakers={f"{actor:02d}": 60 for actor in range(1, 25)},
    licence="CC BY-NC-SA 4.0",
    citation="Livingstone and Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS). "
    "PLoS ONE 13(5), 2018",
    access="download Audio_Speech_Actors_01-24.zip (and Audio_Song_Actors_01-24.zip for song) from Zenodo and unpack",
    url="https://doi.org/10.5281/zenodo.1188976",
)
NAME = re.compile(
    r"03-(?P<channel>0[12])-(?P<code>\d{2})-(?P<intensity>0[12])-(?P<statement>0[12])-0(?P<repetition>[12])-"
    r"(?P<speaker>\d{2})"
)


class RAVDESS:
    """The audio-only files in their publisher's layout.

    Args:
        root: the folder that holds ``Actor_01`` …, or a folder with audio itself; any audio extension.
        channel: ``speech``, ``song`` or ``both``.
        intensity: ``all``, ``normal`` (the only one of neutral) or ``strong``.
        calm: its ``own`` emotion, counted as ``neutral``, or ``drop``.
        emotions: harmonised names to keep (``None``: all).
        name: what results call it.
    """

    info = INFO
    downloads = (
        Download(
            "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
            md5="bc696df654c87fed845eb13823edef8a",
        ),
    )

    def __init__(
        self,
        root: str,
        channel: str = "speech",
        intensity: str = "all",
        calm: str = "own",
        emotions: Sequence[str] | None = None,
        name: str = "ravdess",
    ) -> None:
        self.root = Path(root)
        self.channel = channel
        self.intensity = intensity
        self.calm = calm
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the file names.

        Raises:
            InputError: a parameter that is none of its choices, no such folder, no file named as RAVDESS names its
                own, or none of the channel and intensity.
        """
        self._check()
        files = find_audio(self.root, self.name)
        expected = "03-01-06-01-02-01-12.wav (audio, channel, emotion, intensity, statement, repetition, actor)"
        frame, notes = read_names(files, parse_name, self.root, self.name, "RAVDESS", expected)
        frame = self._select(frame, "channel", "both")
        if self.channel == "speech":
            notes = [*INFO.compare(self.name, frame), *notes]
        frame = self._select(frame, "intensity", "all").assign(language=INFO.language)
        if self.calm == "neutral":
            frame["emotion"] = frame["emotion"].replace("calm", "neutral")
        elif self.calm == "drop":
            frame = frame[frame["emotion"] != "calm"]
        return Manifest(self.name, frame, tuple(notes)).with_emotions(self.emotions)

    def _check(self) -> None:
        for key, choices in CHOICES.items():
            value = getattr(self, key)
            if value not in choices:
                raise InputError(f"dataset.{key}={value}: no such choice", expected=f"one of {', '.join(choices)}")

    def _select(self, frame: pd.DataFrame, column: str, everything: str) -> pd.DataFrame:
        wanted = getattr(self, column)
        kept = frame if wanted == everything else frame[frame[column] == wanted]
        if kept.empty:
            raise InputError(
                f"dataset.{column}={wanted}: none of the {len(frame)} clips in dataset.root={self.root} is",
                expected=f"dataset.{column}={frame[column].iloc[0]}, like the files there",
                remedy="change the parameter, or point dataset.root at a copy that holds them",
            )
        return kept


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a file, or ``None`` if its name is not that of a RAVDESS audio file."""
    match = NAME.fullmatch(path.stem)
    if not match or match["speaker"] not in INFO.speakers:
        return None
    return {
        "clip": path.stem,
        "path": str(path),
        "emotion": find_emotion("ravdess", match["code"], path),
        "label": match["code"],
        "speaker": match["speaker"],
        "gender": "male" if int(match["speaker"]) % 2 else "female",
        "sentence": match["statement"],
        "text": TEXTS[match["statement"]],
        "intensity": INTENSITIES[match["intensity"]],
        "repetition": int(match["repetition"]),
        "channel": CHANNELS[match["channel"]],
    }
