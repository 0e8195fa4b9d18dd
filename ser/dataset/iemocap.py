"""IEMOCAP (Busso et al., Language Resources and Evaluation 2008): American English, dyads, 5 sessions, 10 actors.

A turn is ``Session1/sentences/wav/<dialog>/<turn>.wav``, e.g. ``Ses01F_impro01_M003``. The letter after the session
says who wears the motion capture markers; **who speaks is the first letter of the last part**: that turn is spoken by
the man of session 1. Labels and ratings are in ``Session1/dialog/EmoEvaluation/<dialog>.txt``, words in
``Session1/dialog/transcriptions/<dialog>.txt``.

The four classes of most papers (5,531 turns, anger, happiness with excitement, neutral, sadness) are
``dataset.excited=happiness dataset.emotions=[anger,happiness,neutral,sadness]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from ser.dataset.files import find_audio
from ser.dataset.harmonise import EMOTION_SYNONYMS, harmonise, list_emotions, name_emotions
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest
from ser.dataset.table import find_labels, index_audio, join_audio
from ser.dataset.target import count_as
from ser.errors import InputError

INFO = CorpusInfo(
    title="Interactive Emotional Dyadic Motion Capture database",
    language="en",
    emotions={
        "anger": 1103,
        "disgust": 2,
        "excitement": 1041,
        "fear": 40,
        "frustration": 1849,
        "happiness": 595,
        "neutral": 1708,
        "sadness": 1084,
        "surprise": 107,
    },
    speaker_count=10,
    licence="for research, under the University of Southern California's release form",
    citation="Busso et al.: IEMOCAP: Interactive emotional dyadic motion capture database. "
    "Language Resources and Evaluation 42(4), 2008",
    access="send the signed release form to USC SAIL, download IEMOCAP_full_release and unpack it",
    url="https://sail.usc.edu/iemocap/iemocap_release.htm",
)
STYLES = {"impro": "improvised", "script": "scripted"}
#: The last part of overlaps without audio of their own is, e.g., FXX0.
TURN = re.compile(r"Ses0(?P<session>[1-5])[FM]_(?P<dialog>(?P<style>impro|script)\w*?)_(?P<sex>[FM])\d{3}")
LABEL = re.compile(r"\[[^\]]*\]\s+(?P<clip>\S+)\s+(?P<label>\w+)\s+\[(?P<numbers>[\d.]+,\s*[\d.]+,\s*[\d.]+)\]")
#: C-E2 is a listener; C-F1 and C-M1 are the actors on themselves.
RATING = re.compile(r"C-E\d+:\s*(?P<emotions>[^(]*)")
TRANSCRIPT = re.compile(r"(?P<clip>\S+) \[[^\]]*\]:\s*(?P<text>.*\S)")


class IEMOCAP:
    """The corpus in its publisher's layout.

    Further columns are ``style`` (improvised, scripted), ``dialog`` (``script01_1``: the same play in every session, so
    its words leak where sessions are mixed), ``valence``, ``arousal`` and ``dominance`` (1 to 5, means of raters) and
    ``rated_<emotion>``, the shares of the listeners' votes (a rater's vote is divided among the emotions named).

    Args:
        root: the folder that holds ``Session1/`` to ``Session5/``.
        style: ``all``, ``improvised`` or ``scripted``.
        excited: ``own`` keeps excitement as a class, ``happiness`` counts it there (the label stays ``exc``).
        emotions: harmonised names to keep (``None``: all).
        name: what results call it.

    Raises:
        InputError: an unknown style or choice for excited.
    """

    info = INFO

    def __init__(
        self,
        root: str,
        style: str = "all",
        excited: str = "own",
        emotions: Sequence[str] | None = None,
        name: str = "iemocap",
    ) -> None:
        if style not in ("all", *STYLES.values()):
            raise InputError(f"dataset.style={style}", expected="all, improvised or scripted")
        if excited not in ("own", "happiness"):
            raise InputError(f"dataset.excited={excited}", expected="own or happiness")
        self.root = Path(root)
        self.style = style
        self.excited = excited
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read labels, ratings and transcripts.

        Raises:
            InputError: no such folder, no label files in it, none with a turn of IEMOCAP, or no audio of theirs.
        """
        tables = find_labels(self.root, self.name, ["Session[1-5]/dialog/EmoEvaluation/Ses*.txt"])
        labels = pd.DataFrame([row for table in tables for row in read_labels(table)])
        if labels.empty:
            raise InputError(
                f"dataset.root={self.root}: no turn in {len(tables)} label files, e.g. {tables[0]}",
                expected="lines like [6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5000, 2.5000, 2.5000]",
            )
        files = find_audio(tables[0].parents[3], self.name)
        turns = {clip: path for clip, path in index_audio(files).items() if TURN.fullmatch(clip)}
        frame, notes = join_audio(labels, turns or index_audio(files), self.root, self.name)
        frame, unused = name_emotions(frame, "iemocap", self.name)
        notes = [*INFO.compare(self.name, frame), *notes, *unused]
        texts = read_transcripts(path.parents[1] / "transcriptions" / path.name for path in tables)
        frame = frame.assign(text=frame["clip"].map(texts), language=INFO.language)
        if self.style != "all":
            frame = frame[frame["style"] == self.style]
        if self.excited == "happiness":
            frame = count_as(frame, {"excitement": "happiness"})
        return Manifest(self.name, frame, tuple(notes)).with_emotions(self.emotions)


def read_labels(table: Path) -> list[dict[str, object]]:
    """A row for every turn of a dialog: label, means of the raters, votes of the listeners."""
    text = table.read_text(encoding="utf-8", errors="replace")
    blocks = re.split(r"^(?=\[)", text, flags=re.MULTILINE)  # a turn, then a line for each rater
    return [row for block in blocks if (row := parse_block(block))]


def parse_block(block: str) -> dict[str, object] | None:
    """Manifest row of a turn and its raters, or ``None``."""
    label = LABEL.match(block)
    turn = TURN.fullmatch(label["clip"]) if label else None
    if not label or not turn:
        return None
    valence, arousal, dominance = (float(number) for number in label["numbers"].split(","))
    return {
        "clip": label["clip"],
        "label": label["label"],
        "speaker": f"Ses0{turn['session']}{turn['sex']}",
        "gender": {"F": "female", "M": "male"}[turn["sex"]],
        "session": turn["session"],
        "style": STYLES[turn["style"]],
        "dialog": turn["dialog"],
        "valence": valence,
        "arousal": arousal,
        "dominance": dominance,
        **count_votes(block),
    }


def count_votes(block: str) -> dict[str, float | None]:
    """Shares of the listeners' votes by emotion; missing where no listener voted."""
    votes = dict.fromkeys((*list_emotions("iemocap"), "other"), 0.0)
    for rater in RATING.finditer(block):
        named = [part.strip() for part in rater["emotions"].split(";") if part.strip()]
        for emotion in named:
            name = harmonise(emotion, EMOTION_SYNONYMS)
            votes[name if name in votes else "other"] += 1 / len(named)
    total = sum(votes.values())
    return {f"rated_{emotion}": vote / total if total else None for emotion, vote in votes.items()}


def read_transcripts(tables: Iterable[Path]) -> dict[str, str]:
    """The words of every turn, where there are transcripts; overlaps without audio are left out."""
    texts = {}
    for table in tables:
        if table.is_file():
            for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
                match = TRANSCRIPT.match(line)
                if match and TURN.fullmatch(match["clip"]):
                    texts[match["clip"]] = match["text"]
    return texts
