"""MSP-Podcast (Lotfian and Busso, IEEE Trans. Affective Computing 2019): English, natural, from podcasts.

``Labels/labels_consensus.csv`` (or ``.json``) gives each file of ``Audios/`` its emotion, arousal, valence and
dominance (1 to 7), speaker, sex and part. Releases grow from year to year, so no counts are checked. Test sets 1 to 3
share speakers with each other: one is the test part, the others are left out. Test set 3 has no public labels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ser.dataset.files import find_audio
from ser.dataset.harmonise import GENDER_SYNONYMS, PART_SYNONYMS, harmonise, list_emotions, name_emotions
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import GENDERS, Manifest
from ser.dataset.table import find_labels, index_audio, join_audio, read_table
from ser.errors import InputError

INFO = CorpusInfo(
    title="MSP-Podcast",
    language="en",
    emotions=dict.fromkeys(list_emotions("msp_podcast"), 0),  # counts differ from release to release
    licence="for research, under the agreement of the University of Texas at Dallas",
    citation="Lotfian, Busso: Building naturalistic emotionally balanced speech corpus by retrieving emotional speech "
    "from existing podcast recordings. IEEE Transactions on Affective Computing 10(4), 2019",
    access="have the institution sign the MSP Lab's agreement, download a release and unpack it",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
)
#: Release 1.8 spells it labels_concensus.
LABELS = [f"Labels/labels_{word}.{kind}" for word in ("consensus", "concensus") for kind in ("csv", "json")]
TEST = r"Test\d"
COLUMNS = {
    "FileName": "file",
    "EmoClass": "label",
    "EmoAct": "arousal",
    "EmoVal": "valence",
    "EmoDom": "dominance",
    "SpkrID": "speaker",
    "Gender": "gender",
    "Split_Set": "set",
}


class MSPPodcast:
    """A release in its publisher's layout; ``split`` is the publisher's (Train, Development, one of the test sets).

    Args:
        root: the folder that holds ``Labels/`` and ``Audios/`` (or ``Audio/``).
        test: the test part: ``Test1``, ``Test2`` or ``Test3`` (its labels are not public).
        unknown_speakers: ``drop`` leaves out clips of speakers nobody identified; ``own`` makes each clip its own
            speaker. All of them are in Train; the same person may be in several.
        transcripts: read the words of every clip from ``Transcripts/`` (a file a clip: minutes on a slow drive).
        emotions: harmonised names to keep (``None``: all eight).
        name: what results call it.

    Raises:
        InputError: an unknown choice.
    """

    info = INFO

    def __init__(
        self,
        root: str,
        test: str = "Test1",
        unknown_speakers: str = "drop",
        transcripts: bool = False,
        emotions: Sequence[str] | None = None,
        name: str = "msp_podcast",
    ) -> None:
        if test not in ("Test1", "Test2", "Test3"):
            raise InputError(f"dataset.test={test}", expected="Test1, Test2 or Test3")
        if unknown_speakers not in ("drop", "own"):
            raise InputError(f"dataset.unknown_speakers={unknown_speakers}", expected="drop or own")
        self.root = Path(root)
        self.test = test
        self.unknown_speakers = unknown_speakers
        self.transcripts = transcripts
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the labels.

        Raises:
            InputError: no such folder, no labels in it or labels that lack a column, no labels of the test set asked
                for, a part of another name, or no audio.
        """
        table = find_labels(self.root, self.name, LABELS)[0]
        labels = read_labels(table)
        self._check_test(labels["set"], table)
        paths = index_audio(find_audio(table.parent.parent, self.name))
        frame, missing = join_audio(labels, paths, self.root, self.name)
        frame, others = self._choose_parts(frame)
        frame, unused = name_emotions(frame, "msp_podcast", self.name)
        frame, unknown = self._name_speakers(frame)
        if self.transcripts:
            frame["text"] = [read_text(table.parent.parent / "Transcripts" / f"{clip}.txt") for clip in frame["clip"]]
        notes = (*missing, *others, *unused, *unknown)
        return Manifest(self.name, frame.assign(language=INFO.language), notes).with_emotions(self.emotions)

    def _check_test(self, sets: pd.Series, table: Path) -> None:
        if self.test not in set(sets):
            raise InputError(
                f"dataset.test={self.test}: {table} has no label of it",
                expected=f"one of {', '.join(sorted(set(sets[sets.str.fullmatch(TEST)])))}",
                remedy="the publisher keeps the labels of Test3" if self.test == "Test3" else "choose among these",
            )

    def _choose_parts(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        sets = frame.pop("set")
        tests = sets.str.fullmatch(TEST)
        frame["split"] = sets.where(~tests, "test").map(lambda part: harmonise(part, PART_SYNONYMS))
        others = sets[tests & (sets != self.test)].value_counts().sort_index()
        counts = ", ".join(f"{part} {count}" for part, count in others.items())
        notes = [f"{self.name}: the test part is {self.test}; left out: {counts}"] if counts else []
        return frame[~tests | (sets == self.test)].reset_index(drop=True), notes

    def _name_speakers(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        unknown = frame["speaker"].isna()
        if not unknown.any():
            return frame, []
        what = f"{self.name}: {unknown.sum()} clips of unknown speakers"
        if self.unknown_speakers == "drop":
            return frame[~unknown].reset_index(drop=True), [
                f"{what} were left out (dataset.unknown_speakers=own: kept)"
            ]
        return frame.assign(speaker=frame["speaker"].fillna("unknown " + frame["clip"])), [
            f"{what} count as a speaker each: speakers of Train may be more than they are"
        ]


def read_labels(table: Path) -> pd.DataFrame:
    """The consensus labels, one row a clip.

    Raises:
        InputError: not such a table, or a column is missing or holds no numbers.
    """
    frame = read_json(table) if table.suffix == ".json" else read_table(table)
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise InputError(
            f"{table}: no column {', '.join(missing)}",
            expected=f"{', '.join(COLUMNS)}; found {', '.join(map(str, frame.columns))}",
            remedy="restore the publisher's labels",
        )
    frame = frame[list(COLUMNS)].rename(columns=COLUMNS)
    frame.insert(0, "clip", frame.pop("file").str.replace(r"\.\w+$", "", regex=True))
    for dimension in ("arousal", "valence", "dominance"):
        frame[dimension] = pd.to_numeric(frame[dimension], errors="coerce").astype(float)
    gender = frame["gender"].map(lambda value: harmonise(value, GENDER_SYNONYMS), na_action="ignore")
    speaker = frame["speaker"].where(frame["speaker"].str.lower() != "unknown")
    return frame.assign(gender=gender.where(gender.isin(GENDERS), None), speaker=speaker)


def read_json(table: Path) -> pd.DataFrame:
    """Labels by file name, as text.

    Raises:
        InputError: not the publisher's JSON.
    """
    try:
        labels = json.loads(table.read_text(encoding="utf-8"))
        frame = pd.DataFrame([{"FileName": file, **entry} for file, entry in labels.items()])
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{table}: not labels by file name ({error})", remedy="restore the publisher's labels"
        ) from error
    return frame.astype(object).map(str, na_action="ignore").astype("str")


def read_text(path: Path) -> str | None:
    """The words of a clip, if they are there."""
    return path.read_text(encoding="utf-8", errors="replace").strip() or None if path.is_file() else None
