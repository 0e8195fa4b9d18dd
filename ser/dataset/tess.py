"""TESS, Toronto Emotional Speech Set (Pichora-Fuller and Dupuis, 2010): Canadian English, acted, two women.

File names are ``<OAF|YAF>_<word>_<emotion>.wav`` in folders such as ``YAF_neutral``; each of 200 words is spoken in
"Say the word …". One file is spelt ``OA_bite_neutral.wav``, and a common copy holds the whole folder nested in itself.
With two speakers, train on one and test on the other: random splits score near 100 % and say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ser.dataset.files import find_audio, read_names
from ser.dataset.harmonise import find_emotion, list_emotions
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest

#: Age in years.
SPEAKERS = {"OAF": 64, "YAF": 26}
INFO = CorpusInfo(
    title="Toronto Emotional Speech Set",
    language="en",
    emotions=dict.fromkeys(list_emotions("tess"), 400),
    speakers=dict.fromkeys(SPEAKERS, 1400),
    licence="CC BY-NC-ND 4.0",
    citation="Pichora-Fuller and Dupuis: Toronto emotional speech set (TESS). Scholars Portal Dataverse, 2020, "
    "doi:10.5683/SP2/E8H2MF",
    access="download the files from the publisher's Dataverse page",
    url="https://doi.org/10.5683/SP2/E8H2MF",
)
NAME = re.compile(r"(?P<speaker>OAF?|YAF)_(?P<word>[a-z]+)_(?P<code>[a-z_]+)")


class TESS:
    """The corpus in its publisher's layout.

    Args:
        root: the folder that holds ``OAF_…`` and ``YAF_…``, nested however deep, or a folder with audio itself; any
            audio extension.
        emotions: harmonised names to keep (``None``: all seven).
        name: what results call it.
    """

    info = INFO

    def __init__(self, root: str, emotions: Sequence[str] | None = None, name: str = "tess") -> None:
        self.root = Path(root)
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the file names.

        Raises:
            InputError: no such folder, or no file named as TESS names its own.
        """
        files = find_audio(self.root, self.name)
        expected = "OAF_back_angry.wav (speaker, word, emotion)"
        frame, notes = read_names(files, parse_name, self.root, self.name, "TESS", expected)
        notes = [*INFO.compare(self.name, frame), *notes]
        return Manifest(self.name, frame.assign(language=INFO.language), tuple(notes)).with_emotions(self.emotions)


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a file, or ``None`` if its name is not TESS's; ``OA`` is read as ``OAF``."""
    match = NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker = "OAF" if match["speaker"] == "OA" else match["speaker"]
    return {
        "clip": f"{speaker}_{match['word']}_{match['code']}",
        "path": str(path),
        "emotion": find_emotion("tess", match["code"], path),
        "label": match["code"],
        "speaker": speaker,
        "gender": "female",
        "age": SPEAKERS[speaker],
        "sentence": match["word"],
        "text": f"Say the word {match['word']}",
    }
