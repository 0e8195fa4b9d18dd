"""SAVEE, Surrey Audio-Visual Expressed Emotion (Haq and Jackson, 2010): British English, acted, four men.

The publisher's names are ``<emotion><number:2>.wav`` in a folder for each speaker, e.g. ``AudioData/DC/sa01.wav``;
flat copies join the two as ``DC_sa01.wav``. Each emotion has 15 TIMIT sentences (3 said in all emotions, 2 specific to
it, 10 said in no other); neutral has 30: the 3, all 12 specific ones, 15 of its own. Which number is which sentence is
not published with the names, so clips carry no sentence and no text: splits cannot keep sentences apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ser.dataset.files import find_audio, read_names
from ser.dataset.harmonise import find_emotion, list_emotions
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest

SPEAKERS = ("DC", "JE", "JK", "KL")
INFO = CorpusInfo(
    title="Surrey Audio-Visual Expressed Emotion database",
    language="en",
    emotions={emotion: 120 if emotion == "neutral" else 60 for emotion in list_emotions("savee")},
    speakers=dict.fromkeys(SPEAKERS, 120),
    licence="free for research after registration",
    citation="Haq and Jackson: Multimodal emotion recognition. In: Machine Audition: Principles, Algorithms and "
    "Systems, IGI Global 2010",
    access="register on the publisher's page, then download and unpack AudioData.zip",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
)
NAME = re.compile(r"(?:(?P<speaker>[A-Z]{2})_)?(?P<code>[a-z]{1,2})(?P<number>\d{2})")


class SAVEE:
    """The audio in its publisher's layout, or flat.

    Args:
        root: the folder that holds ``AudioData/`` or ``DC`` … ``KL``, or a folder with audio itself; any audio
            extension.
        emotions: harmonised names to keep (``None``: all seven).
        name: what results call it.
    """

    info = INFO

    def __init__(self, root: str, emotions: Sequence[str] | None = None, name: str = "savee") -> None:
        self.root = Path(root)
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the names of files and folders.

        Raises:
            InputError: no such folder, or no file named as SAVEE names its own.
        """
        files = find_audio(self.root, self.name, "AudioData")
        expected = "DC/sa01.wav or DC_sa01.wav (speaker, emotion, number)"
        frame, notes = read_names(files, parse_name, self.root, self.name, "SAVEE", expected)
        notes = [*INFO.compare(self.name, frame), *notes]
        return Manifest(self.name, frame.assign(language=INFO.language), tuple(notes)).with_emotions(self.emotions)


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a file, or ``None`` if its name and folder are not SAVEE's."""
    match = NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker = match["speaker"] or path.absolute().parent.name
    sentences = 30 if match["code"] == "n" else 15
    if speaker not in SPEAKERS or not 1 <= int(match["number"]) <= sentences:
        return None
    return {
        "clip": f"{speaker}_{match['code']}{match['number']}",
        "path": str(path),
        "emotion": find_emotion("savee", match["code"], path),
        "label": match["code"],
        "speaker": speaker,
        "gender": "male",
    }
