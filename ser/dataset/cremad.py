"""CREMA-D (Cao et al., IEEE Trans. Affective Computing 2014): American English, acted, 91 speakers, 12 sentences.

File names are ``<actor>_<sentence>_<emotion>_<intensity>.wav``, e.g. ``1001_IEO_ANG_HI.wav``; one file is spelt
``1040_ITH_SAD_X.wav``. The publisher's folder holds every clip twice, in ``AudioWAV`` and as MP3 in ``AudioMP3``, and
``VideoDemographics.csv``. The emotion is the one asked of the actor; listeners heard it in 41 % of the clips.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ser.dataset.files import find_audio, find_beside, read_details, read_names
from ser.dataset.harmonise import find_emotion, list_emotions
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest

TEXTS = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
ACTORS = range(1001, 1092)
INFO = CorpusInfo(
    title="Crowd-sourced Emotional Multimodal Actors Dataset",
    language="en",
    emotions={emotion: 1087 if emotion == "neutral" else 1271 for emotion in list_emotions("cremad")},
    speaker_count=len(ACTORS),
    licence="Open Database License (ODbL) 1.0",
    citation="Cao et al.: CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset. "
    "IEEE Transactions on Affective Computing 5(4), 2014",
    access="git lfs clone the publisher's repository (without git-lfs, and in GitHub's zip, audio files are pointers)",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    human_uar=0.409,
)
TABLE = "VideoDemographics.csv"
DEMOGRAPHICS = {"Sex": "gender", "Age": "age", "Race": "race", "Ethnicity": "ethnicity"}
NAME = re.compile(r"(?P<speaker>\d{4})_(?P<sentence>[A-Z]{3})_(?P<code>[A-Z]{3})_(?P<intensity>LO|MD|HI|XX?)")


class CREMAD:
    """The corpus in its publisher's layout.

    Args:
        root: the folder that holds ``AudioWAV/`` and ``VideoDemographics.csv``, or the folder with the audio itself;
            any audio extension.
        emotions: harmonised names to keep (``None``: all six).
        name: what results call it.
    """

    info = INFO

    def __init__(self, root: str, emotions: Sequence[str] | None = None, name: str = "cremad") -> None:
        self.root = Path(root)
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the file names and the table of actors.

        Raises:
            InputError: no such folder, no file named as CREMA-D names its own, or a table that is not the publisher's.
        """
        files = find_audio(self.root, self.name)
        files = [path for path in files if "AudioWAV" in path.parts] or files
        expected = "1001_IEO_ANG_HI.wav (actor, sentence, emotion, intensity)"
        frame, notes = read_names(files, parse_name, self.root, self.name, "CREMA-D", expected)
        notes = [*INFO.compare(self.name, frame), *notes]
        table = find_beside(files, self.root, TABLE)
        if table:
            actors = read_details(table, "ActorID", DEMOGRAPHICS)
            frame = frame.join(actors.assign(gender=actors["gender"].str.lower()), on="speaker")
        else:
            frame = frame.assign(**dict.fromkeys(DEMOGRAPHICS.values()))
            notes.append(
                f"{self.name}: no {TABLE} next to or above the audio: sex, age, race and ethnicity are unknown"
            )
        return Manifest(self.name, frame.assign(language=INFO.language), tuple(notes)).with_emotions(self.emotions)


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a file, or ``None`` if its name is not CREMA-D's; ``_X`` is read as ``_XX``."""
    match = NAME.fullmatch(path.stem)
    if not match or match["sentence"] not in TEXTS:
        return None
    if int(match["speaker"]) not in ACTORS:
        return None
    intensity = "XX" if match["intensity"] == "X" else match["intensity"]
    return {
        "clip": f"{match['speaker']}_{match['sentence']}_{match['code']}_{intensity}",
        "path": str(path),
        "emotion": find_emotion("cremad", match["code"], path),
        "label": match["code"],
        "speaker": match["speaker"],
        "sentence": match["sentence"],
        "text": TEXTS[match["sentence"]],
        "intensity": INTENSITIES[intensity],
    }
