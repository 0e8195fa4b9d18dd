"""EmoDB, the Berlin Database of Emotional Speech (Burkhardt et al., Interspeech 2005): German, acted, 10 speakers.

File names are ``<speaker:2><text:3><emotion:1><version:1>``, e.g. ``03a01Fa.wav``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ser.dataset.files import find_audio, read_names
from ser.dataset.harmonise import find_emotion
from ser.dataset.info import CorpusInfo, Download
from ser.dataset.manifest import Manifest

#: Sex and age in years.
SPEAKERS = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
INFO = CorpusInfo(
    title="Berlin Database of Emotional Speech",
    language="de",
    emotions={"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "neutral": 79, "sadness": 62},
    speakers=dict(zip(SPEAKERS, (49, 58, 43, 38, 55, 35, 61, 69, 56, 71), strict=True)),
    licence="freely available; its publisher states no licence",
    citation="Burkhardt et al.: A database of German emotional speech. Interspeech 2005",
    access="download wav.zip from the publisher's page and unpack it",
    url="http://emodb.bilderbar.info",
)
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
NAME = re.compile(r"(?P<speaker>\d{2})(?P<sentence>[ab]\d{2})(?P<code>[A-Z])(?P<version>[a-z])")


class EmoDB:
    """The corpus in its publisher's layout.

    Args:
        root: the folder that holds ``wav/``, or the folder with the audio itself; any audio extension.
        emotions: harmonised names to keep (``None``: all seven).
        name: what results call it.
    """

    info = INFO
    downloads = (Download("http://www.emodb.bilderbar.info/download/download.zip"),)

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
        expected = "03a01Fa.wav (speaker, text, emotion letter, version)"
        frame, notes = read_names(files, parse_name, self.root, self.name, "EmoDB", expected)
        notes = [*INFO.compare(self.name, frame), *notes]
        return Manifest(self.name, frame.assign(language=INFO.language), tuple(notes)).with_emotions(self.emotions)


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a file, or ``None`` if its name is not EmoDB's."""
    match = NAME.fullmatch(path.stem)
    if not match or match["speaker"] not in SPEAKERS or match["sentence"] not in TEXTS:
        return None
    gender, age = SPEAKERS[match["speaker"]]
    return {
        "clip": path.stem,
        "path": str(path),
        "emotion": find_emotion("emodb", match["code"], path),
        "label": match["code"],
        "speaker": match["speaker"],
        "gender": gender,
        "age": age,
        "sentence": match["sentence"],
        "text": TEXTS[match["sentence"]],
        "version": match["version"],
    }
