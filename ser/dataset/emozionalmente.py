"""Emozionalmente (Catania et al., IEEE TASLP 2025): Italian, crowdsourced, 431 amateur actors, 18 sentences.

The publisher's layout is ``audio/<epoch-ms>.wav`` beside ``metadata/``: ``samples.csv`` (file_name, actor, sentence,
emotion_expressed), ``users.csv`` (username, gender, age, mother_tongue) and ``evaluations.csv`` (file_name,
emotion_recognized; five raters a clip). Copies renamed to ``<gender>____<actor>____<emotion>____<file>`` are read too,
with or without that metadata. Most actors lack some emotions: splitting each emotion by itself leaks speakers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ser.dataset.files import find_audio
from ser.dataset.harmonise import CODES, GENDER_SYNONYMS, PART_SYNONYMS, harmonise, list_emotions, name_emotions
from ser.dataset.info import CorpusInfo, Download
from ser.dataset.manifest import GENDERS, PARTS, Manifest
from ser.dataset.table import find_labels, index_audio, join_audio, read_table
from ser.errors import InputError

INFO = CorpusInfo(
    title="Emozionalmente",
    language="it",
    emotions=dict.fromkeys(list_emotions("emozionalmente"), 986),
    speaker_count=431,
    licence="CC BY 4.0",
    citation="Catania, Wilke, Garzotto: Emozionalmente: A Crowdsourced Corpus of Simulated Emotional Speech in "
    "Italian. IEEE Transactions on Audio, Speech and Language Processing 33, 2025",
    access="download emozionalmente.zip (version 1.1, 559 MB) from Zenodo and unpack it",
    url="https://zenodo.org/records/12616095",
    human_uar=0.66,
)
SAMPLES = "metadata/samples.csv"
#: Between the parts of a name in renamed copies.
SEPARATOR = "____"
SPLIT_COLUMNS = ("split", "partition", "set")


class Emozionalmente:
    """The corpus in its publisher's layout, or renamed.

    The manifest's ``split`` is the publisher's speaker-independent one, if this copy has it (version 1.1): as a column
    ``split``, ``partition`` or ``set`` of a table in the corpus's folder, as tables or folders of audio named after
    the parts. ``rated_<emotion>`` are the shares of a clip's raters who heard that emotion, ``recognised`` the share
    who heard the one expressed.

    Args:
        root: the folder that holds ``audio/`` and ``metadata/``, or a folder with renamed audio.
        emotions: harmonised names to keep (``None``: all seven).
        name: what results call it.
    """

    info = INFO
    downloads = (
        Download(
            "https://zenodo.org/records/12616095/files/emozionalmente.zip?download=1",
            md5="398c6502dd2b0e1e810f927c12897547",
        ),
    )

    def __init__(self, root: str, emotions: Sequence[str] | None = None, name: str = "emozionalmente") -> None:
        self.root = Path(root)
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the metadata, or the names of renamed files.

        Raises:
            InputError: no such folder, neither metadata nor renamed files in it, or metadata that lacks a column.
        """
        files = find_audio(self.root, self.name)
        renamed = [row for row in map(parse_name, index_audio(files).values()) if row]
        try:
            (table, *_) = find_labels(self.root, self.name, [SAMPLES])
        except InputError:
            if not renamed:
                raise
            frame, notes = pd.DataFrame(renamed), [f"{self.name}: no {SAMPLES}: age, sentence and split are unknown"]
        else:
            top = table.parent.parent
            frame, notes = self._read_metadata(table, [path for path in files if path.is_relative_to(top)])
        frame, unknown = name_emotions(frame, "emozionalmente", self.name)
        if "rated_anger" in frame:
            frame["recognised"] = [row[f"rated_{row['emotion']}"] for _, row in frame.iterrows()]
        notes = [*INFO.compare(self.name, frame), *notes, *unknown]
        return Manifest(self.name, frame.assign(language=INFO.language), tuple(notes)).with_emotions(self.emotions)

    def _read_metadata(self, table: Path, files: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
        samples = read_columns(table, "file_name", "actor", "sentence", "emotion_expressed")
        labels = pd.DataFrame(
            {
                "clip": samples["file_name"].map(lambda name: Path(name).stem),
                "label": samples["emotion_expressed"],
                "speaker": samples["actor"],
                "sentence": samples["sentence"],
                "text": samples["sentence"],
            }
        )
        if not files:
            raise InputError(f"{table.parent.parent}: no audio", expected="audio/ beside metadata/")
        paths = {clip.split(SEPARATOR)[-1]: path for clip, path in index_audio(files).items()}
        frame, notes = join_audio(labels, paths, self.root, self.name)
        frame, unusual = add_actors(frame, table.with_name("users.csv"), self.name)
        frame["split"] = find_split(frame, table.parent.parent)
        if frame["split"].isna().all():
            notes.append(f"{self.name}: this copy has no official split (version 1.1 ships one)")
        elif gaps := int(frame["split"].isna().sum()):
            notes.append(f"{self.name}: {gaps} clips are in no part of the official split")
        return add_raters(frame, table.with_name("evaluations.csv")), [*notes, *unusual]


def parse_name(path: Path) -> dict[str, object] | None:
    """Manifest row of a renamed file, or ``None``."""
    parts = path.stem.split(SEPARATOR)
    if len(parts) != 4:
        return None
    gender, actor, emotion, clip = parts
    label = {name: code for code, name in CODES["emozionalmente"].items()}.get(emotion.lower(), emotion.lower())
    sex = harmonise(gender, GENDER_SYNONYMS)
    known = sex if sex in GENDERS else None
    return {"clip": clip, "path": str(path), "label": label, "speaker": actor, "gender": known}


def read_columns(path: Path, *columns: str) -> pd.DataFrame:
    """A table of the corpus.

    Raises:
        InputError: it is not there, or lacks a column.
    """
    table = read_table(path)
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(missing)}",
            expected=f"{', '.join(columns)}; found {', '.join(table.columns)}",
            remedy="restore the publisher's table",
        )
    return table


def add_actors(frame: pd.DataFrame, table: Path, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Sex, age and mother tongue of the actors."""
    if not table.is_file():
        return frame, [f"{name}: no metadata/{table.name}: sex and age are unknown"]
    users = read_columns(table, "username", "gender", "age").drop_duplicates("username").set_index("username")
    gender = users["gender"].map(lambda value: harmonise(value, GENDER_SYNONYMS), na_action="ignore")
    users["gender"] = gender.where(gender.isna() | gender.isin(GENDERS), "other")
    wanted = [column for column in ("gender", "age", "mother_tongue") if column in users]
    unusual = sorted(set(gender.dropna()) - set(GENDERS))
    notes = [f"{name}: gender {', '.join(unusual)} is read as other"] if unusual else []
    if unlisted := frame.loc[~frame["speaker"].isin(users.index), "speaker"].nunique():
        notes.append(f"{name}: {unlisted} actors are not in metadata/{table.name}: their sex and age are unknown")
    return frame.join(users[wanted], on="speaker"), notes


def find_split(frame: pd.DataFrame, top: Path) -> pd.Series:
    """The part of each clip in the publisher's split, wherever it is written; missing where it is not.

    What version 1.1 looks like inside is not documented, so every usual way is looked for.
    """
    split = pd.Series(None, index=frame.index, dtype=object)
    for path in sorted(path for ending in ("csv", "tsv", "txt") for path in top.rglob(f"*.{ending}")):
        if path.name.startswith(".") or path.stem == "evaluations":
            continue
        try:
            table = read_table(path)
        except InputError:
            continue  # a readme, say
        column = next((column for column in SPLIT_COLUMNS if column in table), None)
        if column:
            groups = dict(iter(table.groupby(table[column].map(find_part, na_action="ignore"))))
        else:
            groups = {find_part(path.stem): table}
        for part, group in groups.items():
            split = split.where(split.notna() | ~find_listed(frame, group), part)
    folders = frame["path"].map(lambda path: find_part(Path(path).parent.name))
    return split.where(split.notna(), folders)


def find_listed(frame: pd.DataFrame, table: pd.DataFrame) -> pd.Series:
    """Which clips a list names, by file or else by actor; it may have no header line."""
    cells = {str(cell) for cell in [*table.columns, *table.to_numpy().ravel()]}
    clips = frame["clip"].isin({Path(cell.replace("\\", "/")).stem for cell in cells})
    return clips if clips.any() else frame["speaker"].isin(cells)


def find_part(value: object) -> str | None:
    """The part that a code or a file name speaks of: ``dev``, ``train_set``, ``samples-test``."""
    words = str(value).lower().replace("-", "_").replace(" ", "_").split("_")
    parts = {harmonise(word, PART_SYNONYMS) for word in words} & set(PARTS)
    return parts.pop() if len(parts) == 1 else None


def add_raters(frame: pd.DataFrame, table: Path) -> pd.DataFrame:
    """Shares of each clip's raters by the emotion they heard, and how many there were."""
    if not table.is_file():
        return frame
    votes = read_columns(table, "file_name", "emotion_recognized").dropna(subset=["emotion_recognized"])
    clips = votes["file_name"].map(lambda name: Path(name).stem)
    heard = votes["emotion_recognized"].map(CODES["emozionalmente"]).fillna("other")
    counts = pd.crosstab(clips, heard).reindex(columns=sorted({*list_emotions("emozionalmente"), *heard}), fill_value=0)
    total = counts.sum(axis="columns")
    shares = counts.div(total, axis="index").add_prefix("rated_").assign(raters=total)
    return frame.join(shares, on="clip")
