"""EmoDB, the Berlin Database of Emotional Speech (Burkhardt et al., Interspeech 2005): German, acted, 10 speakers.

File names are ``<speaker:2><text:3><emotion:1><version:1>``, e.g. ``03a01Fa.wav``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ser.dataset.files import find_audio
from ser.dataset.manifest import Manifest
from ser.errors import InputError

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
}
#: Sex, age in years, and clips in the complete corpus.
SPEAKERS = {
    "03": ("male", 31, 49),
    "08": ("female", 34, 58),
    "09": ("female", 21, 43),
    "10": ("male", 32, 38),
    "11": ("male", 26, 55),
    "12": ("male", 30, 35),
    "13": ("female", 32, 61),
    "14": ("female", 35, 69),
    "15": ("male", 25, 56),
    "16": ("female", 31, 71),
}
#: Clips by emotion in the complete corpus of 535.
PUBLISHED = {"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "neutral": 79, "sadness": 62}
TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
NAME = re.compile(r"(?P<speaker>\d{2})(?P<sentence>[ab]\d{2})(?P<code>[WLEAFNT])(?P<version>[a-z])")


class EmoDB:
    """The corpus in its publisher's layout.

    Args:
        root: the folder that holds ``wav/``, or the folder with the audio itself; any audio extension.
        emotions: harmonised names to keep (``None``: all seven).
        name: what results call it.
    """

    language = "de"

    def __init__(self, root: str, emotions: Sequence[str] | None = None, name: str = "emodb") -> None:
        self.root = Path(root)
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the file names.

        Raises:
            InputError: no such folder, or no file named as EmoDB names its own.
        """
        files = find_audio(self.root, self.name, "wav")
        rows = [parse_name(path) for path in files]
        known = [row for row in rows if row]
        if not known:
            raise InputError(
                f"dataset.root={self.root}: none of its {len(files)} audio files is named like EmoDB's, "
                f"e.g. {files[0].name}",
                expected="names like 03a01Fa.wav (speaker, text, emotion letter, version)",
                remedy="point dataset.root at the folder that holds EmoDB's wav/",
            )
        frame = pd.DataFrame(known).assign(language=self.language)
        notes = describe_copy(frame)
        if len(known) < len(files):
            notes.append(f"emodb: {len(files) - len(known)} audio files not named like EmoDB's were left out")
        return Manifest(self.name, frame, tuple(notes)).with_emotions(self.emotions)


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a file, or ``None`` if its name is not EmoDB's."""
    match = NAME.fullmatch(path.stem)
    if not match or match["speaker"] not in SPEAKERS or match["sentence"] not in TEXTS:
        return None
    gender, age, _ = SPEAKERS[match["speaker"]]
    return {
        "clip": path.stem,
        "path": str(path),
        "emotion": EMOTIONS[match["code"]],
        "label": match["code"],
        "speaker": match["speaker"],
        "gender": gender,
        "age": age,
        "sentence": match["sentence"],
        "text": TEXTS[match["sentence"]],
        "version": match["version"],
    }


def describe_copy(frame: pd.DataFrame) -> list[str]:
    """What is missing from this copy, or is more than was published; empty for the complete corpus."""
    found = frame["emotion"].value_counts()
    by_emotion = [f"{e} {found.get(e, 0)} of {n}" for e, n in PUBLISHED.items() if found.get(e, 0) != n]
    by_speaker = frame["speaker"].value_counts()
    speakers = [f"{s} {by_speaker.get(s, 0)} of {n}" for s, (_, _, n) in SPEAKERS.items() if by_speaker.get(s, 0) != n]
    if not by_emotion and not speakers:
        return []
    return [
        f"emodb: this copy has {len(frame)} of the published {sum(PUBLISHED.values())} clips "
        f"(emotions: {', '.join(by_emotion) or 'as published'}; speakers: {', '.join(speakers) or 'as published'})"
    ]
