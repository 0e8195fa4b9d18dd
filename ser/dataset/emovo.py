"""EMOVO (Costantini et al., LREC 2014): Italian, acted, 6 speakers, 14 sentences in seven emotions each.

File names are ``<emotion:3>-<actor>-<sentence>.wav`` in folders ``f1`` … ``m3``, e.g. ``f2/gio-f2-b2.wav``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ser.dataset.files import find_audio, read_names
from ser.dataset.harmonise import find_emotion, list_emotions
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest

#: Sex and age in years.
SPEAKERS = {
    "f1": ("female", 28),
    "f2": ("female", 23),
    "f3": ("female", 25),
    "m1": ("male", 30),
    "m2": ("male", 27),
    "m3": ("male", 30),
}
#: b short, l long, n nonsense, d question.
TEXTS = {
    "b1": "Gli operai si alzano presto.",
    "b2": "I vigili sono muniti di pistola.",
    "b3": "La cascata fa molto rumore.",
    "l1": "L'autunno prossimo Tony partirà per la Spagna: nella prima metà di ottobre.",
    "l2": "Ora prendo la felpa di là ed esco per fare una passeggiata.",
    "l3": "Un attimo dopo s'è incamminato...ed è inciampato.",
    "l4": "Vorrei il numero telefonico del Signor Piatti.",
    "n1": "La casa forte vuole col pane.",
    "n2": "La forza trova il passo e l'aglio rosso.",
    "n3": "Il gatto sta scorrendo nella pera.",
    "n4": "Insalata pastasciutta coscia d'agnello limoncello.",
    "n5": "Uno quarantatré dieci mille cinquantasette venti.",
    "d1": "Sabato sera cosa farà?",
    "d2": "Porti con te quella cosa?",
}
INFO = CorpusInfo(
    title="EMOVO, Italian emotional speech",
    language="it",
    emotions=dict.fromkeys(list_emotions("emovo"), 84),
    speakers=dict.fromkeys(SPEAKERS, 98),
    licence="for research; its publisher states no licence",
    citation="Costantini et al.: EMOVO Corpus: an Italian emotional speech database. LREC 2014",
    access="download emovo.zip from the publisher's page (Fondazione Ugo Bordoni) and unpack it",
    url="http://voice.fub.it/activities/corpora/emovo/index.html",
    human_uar=0.80,
)
NAME = re.compile(r"(?P<code>[a-z]{3})-(?P<speaker>[fm]\d)-(?P<sentence>[bdln]\d)")


class EMOVO:
    """The corpus in its publisher's layout.

    Args:
        root: the folder that holds ``f1`` … ``m3``, or a folder with audio itself; any audio extension.
        emotions: harmonised names to keep (``None``: all seven).
        name: what results call it.
    """

    info = INFO

    def __init__(self, root: str, emotions: Sequence[str] | None = None, name: str = "emovo") -> None:
        self.root = Path(root)
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the file names.

        Raises:
            InputError: no such folder, or no file named as EMOVO names its own.
        """
        files = find_audio(self.root, self.name)
        expected = "gio-f2-b2.wav (emotion, actor, sentence)"
        frame, notes = read_names(files, parse_name, self.root, self.name, "EMOVO", expected)
        notes = [*INFO.compare(self.name, frame), *notes]
        return Manifest(self.name, frame.assign(language=INFO.language), tuple(notes)).with_emotions(self.emotions)


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a file, or ``None`` if its name is not EMOVO's."""
    match = NAME.fullmatch(path.stem)
    if not match or match["speaker"] not in SPEAKERS or match["sentence"] not in TEXTS:
        return None
    gender, age = SPEAKERS[match["speaker"]]
    return {
        "clip": path.stem,
        "path": str(path),
        "emotion": find_emotion("emovo", match["code"], path),
        "label": match["code"],
        "speaker": match["speaker"],
        "gender": gender,
        "age": age,
        "sentence": match["sentence"],
        "text": TEXTS[match["sentence"]],
    }
