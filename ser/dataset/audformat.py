"""Databases in audformat (Wagner et al., 2023), the exchange format of audb: ``db.yaml``, its tables and its media.

Source: https://audeering.github.io/audformat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import yaml

from ser.dataset.harmonise import EMOTION_SYNONYMS, GENDER_SYNONYMS, PART_SYNONYMS, harmonise
from ser.dataset.manifest import PARTS, Manifest
from ser.dataset.table import DIMENSIONS, find_labels
from ser.errors import InputError

#: What a manifest takes from columns, beside emotion and speaker.
OPTIONAL = ("gender", "age", "text", "sentence", "language", "session", *DIMENSIONS)


class Audformat:
    """Clips of one or more tables of a database, filewise or segmented.

    A column that the emotion's table lacks is taken from the database's other tables; ``gender``, ``age`` and others
    also from what the scheme of the speakers says of each speaker (a dictionary or a misc table).

    Args:
        root: the folder that holds ``db.yaml``.
        tables: the table with the emotions, or several (``None``: those of ``splits``, or the only one there is).
        splits: train, validation (or dev), test → table or tables. Without it, a table's own split counts, if it names
            one that is train, dev or test.
        columns: manifest column → column of the database. ``emotion`` and ``speaker`` default to these names; others
            left out or ``None`` are taken from the column of the same name, if there is one.
        values: manifest column → {code in the database: harmonised value}, before the usual synonyms.
        pickles: read tables stored as ``.pkl``. Pickles run whatever code they hold: only from sources you trust.
        emotions: harmonised names to keep (``None``: all).
        name: what results call it.
    """

    def __init__(
        self,
        root: str,
        tables: str | Sequence[str] | None = None,
        splits: Mapping[str, str | Sequence[str]] | None = None,
        columns: Mapping[str, str | None] | None = None,
        values: Mapping[str, Mapping[str, str]] | None = None,
        pickles: bool = False,
        emotions: Sequence[str] | None = None,
        name: str = "audformat",
    ) -> None:
        self.root = Path(root)
        self.tables = list_names(tables)
        self.splits = {part: list_names(names) for part, names in (splits or {}).items()}
        given = {key: column for key, column in (columns or {}).items() if column}
        self.columns = {"emotion": "emotion", "speaker": "speaker"} | given
        self.values = values or {}
        self.pickles = pickles
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read the tables.

        Raises:
            InputError: audformat is not installed, no such folder or no database in it, an unknown table, column or
                part, pickled tables, or no media.
        """
        header = find_labels(self.root, self.name, ["db.yaml"])[0]
        database = self._open(header)
        try:
            frames = [self._read(database, table, part) for table, part in self._choose(database).items()]
        except RuntimeError as error:  # audformat's, for the files of tables
            raise InputError(f"{header}: a table cannot be read ({error})", remedy="complete the database") from error
        frame = pd.concat(frames, ignore_index=True)
        notes = []
        if unlabelled := int(frame["label"].isna().sum()):
            notes.append(f"{self.name}: {unlabelled} clips without an emotion were left out")
        frame = frame[frame["label"].notna()]
        here = frame["path"].map({path: (header.parent / path).is_file() for path in frame["path"].unique()})
        if len(frame) and not here.any():
            raise InputError(
                f"dataset.root={self.root}: none of the {len(frame)} clips has audio",
                expected=f"media beside db.yaml, e.g. {header.parent / frame['path'].iloc[0]}",
                remedy="download the database with its media",
            )
        if not here.all():
            notes.append(f"{self.name}: {(~here).sum()} of {len(frame)} clips have no audio here and were left out")
        frame = frame[here].assign(path=[str(header.parent / path) for path in frame.loc[here, "path"]])
        if "language" not in frame:
            frame["language"] = find_language(database)
        return Manifest(self.name, frame, tuple(notes)).with_emotions(self.emotions)

    def _open(self, header: Path) -> Any:  # audformat.Database
        try:
            import audformat
        except ImportError as error:
            raise InputError("dataset=audformat needs an extra: pip install 'ser[audformat]'") from error
        pickled = sorted(header.parent.glob("db.*.pkl"))
        if pickled and not self.pickles:
            raise InputError(
                f"dataset.root={self.root}: {pickled[0].name} is a pickle, which runs whatever code it holds",
                expected="tables stored as .csv or .parquet",
                remedy="delete the .pkl beside a .csv or .parquet (it is a copy), or, if you trust the source, "
                "pass dataset.pickles=true",
            )
        try:
            return audformat.Database.load(str(header.parent), load_data=False)
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError, yaml.YAMLError) as error:
            raise InputError(f"{header}: not the header of an audformat database ({error})") from error

    def _choose(self, database: Any) -> dict[str, str | None]:
        """The tables to read, and the part each of them is."""
        parts: dict[str, str | None] = {}
        for code, names in self.splits.items():
            part = harmonise(code, PART_SYNONYMS)
            if part not in PARTS:
                raise InputError(f"dataset.splits.{code}: no such part", expected=", ".join(PARTS))
            parts |= dict.fromkeys(names, part)
        emotion = self.columns["emotion"]
        candidates = [table for table in database.tables if emotion in database[table].columns]
        chosen = list(dict.fromkeys([*self.tables, *parts])) or (candidates if len(candidates) == 1 else [])
        if not chosen:
            raise InputError(
                f"dataset.tables: {self.root} has {len(candidates) or 'no'} tables with a column {emotion!r}",
                expected=f"one or more of {', '.join(candidates or list_columns(database))}",
                remedy="pass dataset.tables=[…]" if candidates else "pass dataset.columns.emotion=<column>",
            )
        for table in chosen:
            if table not in database.tables:
                raise InputError(
                    f"dataset.tables: {self.root} has no table {table!r}", expected=", ".join(database.tables)
                )
            if emotion not in database[table].columns:
                raise InputError(
                    f"dataset.columns.emotion={emotion}: no such column in table {table!r}",
                    expected=f"one of {', '.join(database[table].columns)}",
                )
        return {table: parts.get(table) or find_part(database, table) for table in chosen}

    def _read(self, database: Any, table: str, part: str | None) -> pd.DataFrame:
        labels = look_up(database, table, self.columns["emotion"])
        speaker = self.columns["speaker"]
        speakers = look_up(database, table, speaker)
        if labels is None or speakers is None:
            raise InputError(
                f"dataset.columns.speaker={speaker}: no such column",
                expected=f"one of {', '.join(list_columns(database))}",
                remedy="pass dataset.columns.speaker=<column>",
            )
        frame = name_clips(labels.index).assign(
            label=labels.to_numpy(), emotion=labels.to_numpy(), speaker=speakers.to_numpy(), split=part
        )
        for key in dict.fromkeys([*OPTIONAL, *self.columns]):
            if key in ("emotion", "speaker"):
                continue
            column = self.columns.get(key, key)
            values = look_up(database, table, column)
            if values is None:
                values = look_up(database, table, speaker, attribute=column)
            if values is not None:
                frame[key] = values.to_numpy()
            elif key in self.columns:
                raise InputError(
                    f"dataset.columns.{key}={column}: no such column, and no attribute of the speakers",
                    expected=f"one of {', '.join(list_columns(database))}",
                )
        return self._harmonise(frame)

    def _harmonise(self, frame: pd.DataFrame) -> pd.DataFrame:
        for key, codes in self.values.items():
            known = {str(code): value for code, value in codes.items()}
            if key in frame:
                frame[key] = [known.get(str(value), value) for value in frame[key]]
        for key, synonyms in (("emotion", EMOTION_SYNONYMS), ("gender", GENDER_SYNONYMS)):
            if key in frame:
                frame[key] = [harmonise(value, synonyms) for value in frame[key]]
        for dimension in set(DIMENSIONS) & set(frame):
            frame[dimension] = pd.to_numeric(frame[dimension], errors="coerce").astype(float)
        return frame


def list_names(names: str | Sequence[str] | None) -> list[str]:
    """One name or several, as a list."""
    return [names] if isinstance(names, str) else list(names or [])


def list_columns(database: Any) -> list[str]:
    """All columns of a database, as table.column."""
    return [f"{table}.{column}" for table in database.tables for column in database[table].columns]


def find_part(database: Any, table: str) -> str | None:
    """The part that a table's own split names, if it is train, dev or test."""
    split = database[table].split_id
    part = harmonise(database.splits[split].type, PART_SYNONYMS) if split else None
    return part if part in PARTS else None


def find_language(database: Any) -> str | None:
    """The database's language as a BCP-47 code, if it has just one."""
    if len(database.languages) != 1:
        return None
    import iso639  # audformat brings it

    (code,) = database.languages
    if not iso639.is_language(code):
        return str(code)
    language = iso639.Lang(code)
    return language.pt1 or language.pt3


def name_clips(index: pd.Index) -> pd.DataFrame:
    """Clip, path and, in segmented tables, start and end (s) of each row; an open end is missing."""
    files = index.get_level_values("file").astype(str)
    frame = pd.DataFrame({"clip": [str(PurePosixPath(file).with_suffix("")) for file in files], "path": files})
    if index.nlevels == 1:
        return frame
    frame["start"] = pd.TimedeltaIndex(index.get_level_values("start")).total_seconds()
    frame["end"] = pd.TimedeltaIndex(index.get_level_values("end")).total_seconds()
    ends = ["" if end != end else f"-{end:.3f}" for end in frame["end"]]  # NaN differs from itself
    frame["clip"] = [f"{c}_{start:.3f}{end}" for c, start, end in zip(frame["clip"], frame["start"], ends, strict=True)]
    return frame


def look_up(database: Any, table: str, column: str, attribute: str | None = None) -> pd.Series | None:
    """Values for the rows of a table: from its own column, else from the other tables' columns of that name.

    Args:
        database: an ``audformat.Database``.
        table: whose rows.
        column: whose values.
        attribute: not the value itself but what its scheme says of it (the sex of a speaker).

    Returns:
        The values in the table's order, or ``None`` if there is no such column or attribute.
    """
    index = database[table].index
    found = None
    for other in [table, *(other for other in database.tables if other != table)]:
        if column not in database[other].columns:
            continue
        try:
            values = database[other][column].get(map=attribute).astype(object)
        except ValueError:  # no such attribute
            continue
        if values.index.nlevels == 1:
            values = pd.Series(index.get_level_values("file").map(values), index=index, dtype=object)
        elif index.nlevels > 1:
            values = values.reindex(index)
        else:
            continue  # segments of files say nothing of whole files
        found = values if found is None else found.where(found.notna(), values)
        if other == table:
            break
    return found
