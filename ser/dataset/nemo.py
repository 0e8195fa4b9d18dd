"""nEMO (Christop, LREC-COLING 2024): Polish, acted, 9 speakers, 90 sentences.

File names are ``<speaker>_<emotion>_<sentence>.wav`` in ``samples/``, e.g. ``samples/SM0_happiness_7.wav``. The
publisher's ``data.tsv`` has transcripts, sexes and ages; its speaker column is padded with blanks. Speaker MK0 shows
no surprise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ser.dataset.files import find_audio, find_beside, read_details, read_names
from ser.dataset.harmonise import find_emotion
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest

INFO = CorpusInfo(
    title="nEMO, dataset of emotional speech in Polish",
    language="pl",
    emotions={"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprise": 669},
    # Counted in the publisher's data.tsv.
    speakers={
        "EB0": 539,
        "IC0": 540,
        "KD0": 540,
        "KS0": 540,
        "MK0": 450,
        "MP0": 256,
        "SM0": 538,
        "TP0": 539,
        "WR0": 539,
    },
    licence="CC BY-NC-SA 4.0",
    citation="Christop: nEMO: Dataset of emotional speech in Polish. LREC-COLING 2024",
    access="download samples/ and data.tsv from the publisher's page",
    url="https://huggingface.co/datasets/amu-cai/nEMO",
)
TABLE = "data.tsv"
DETAILS = {"raw_text": "text", "gender": "gender", "age": "age"}
NAME = re.compile(r"(?P<speaker>[A-Z]{2}0)_(?P<code>[a-z]+)_(?P<sentence>\d{1,2})")


class NEMO:
    """The corpus in its publisher's layout.

    Args:
        root: the folder that holds ``samples/`` and ``data.tsv``, or the folder with the audio itself; any audio
            extension.
        emotions: harmonised names to keep (``None``: all six).
        name: what results call it.
    """

    info = INFO

    def __init__(self, root: str, emotions: Sequence[str] | None = None, name: str = "nemo") -> None:
        self.root = Path(root)
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the file names and the publisher's table.

        Raises:
            InputError: no such folder, no file named as nEMO names its own, or a table that is not the publisher's.
        """
        files = find_audio(self.root, self.name, "samples")
        expected = "SM0_happiness_7.wav (speaker, emotion, sentence)"
        frame, notes = read_names(files, parse_name, self.root, self.name, "nEMO", expected)
        notes = [*INFO.compare(self.name, frame), *notes]
        table = find_beside(files, self.root, TABLE)
        if table:
            details = read_details(table, "file_id", DETAILS, "\t")
            details.index = details.index.str.replace(r"\.\w+$", "", regex=True)
            frame = frame.join(details, on="clip")
            if unknown := int(frame["text"].isna().sum()):
                notes.append(f"{self.name}: {unknown} clips do not occur in {table}: no transcript, sex and age")
        else:
            frame = frame.assign(**dict.fromkeys(DETAILS.values()))
            notes.append(f"{self.name}: no {TABLE} next to or above the audio: transcripts, sexes and ages are unknown")
        return Manifest(self.name, frame.assign(language=INFO.language), tuple(notes)).with_emotions(self.emotions)


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a file, or ``None`` if its name is not nEMO's."""
    match = NAME.fullmatch(path.stem)
    if not match or match["speaker"] not in INFO.speakers:
        return None
    if not 1 <= int(match["sentence"]) <= 90:
        return None
    return {
        "clip": path.stem,
        "path": str(path),
        "emotion": find_emotion("nemo", match["code"], path),
        "label": match["code"],
        "speaker": match["speaker"],
        "sentence": match["sentence"],
    }
