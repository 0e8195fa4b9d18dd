"""A corpus of one's own: any CSV table, its columns and codes mapped in the configuration."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ser.dataset.harmonise import EMOTION_SYNONYMS, GENDER_SYNONYMS, PART_SYNONYMS, harmonise
from ser.dataset.manifest import OPTIONAL, REQUIRED, Manifest
from ser.errors import InputError

SYNONYMS = {"emotion": EMOTION_SYNONYMS, "gender": GENDER_SYNONYMS, "split": PART_SYNONYMS}


class Table:
    """Clips listed in a CSV file (comma, semicolon, tab or bar; the delimiter is found).

    Args:
        path: the table.
        columns: manifest column → column of the table. One that is ``None`` or left out is taken from the table's
            column of the same name, if there is one; ``clip`` then defaults to the file's path and ``label`` to the
            emotion as written. Columns that are not mapped are kept under their own names.
        values: manifest column → {code in the table: harmonised value}, applied before the usual synonyms (``happy``
            and ``joy`` are happiness, ``f`` is female, ``dev`` is validation).
        root: folder that relative paths start from (``None``: the table's folder).
        emotions: harmonised names to keep (``None``: all).
        name: what results call the corpus.
    """

    def __init__(
        self,
        path: str,
        columns: Mapping[str, str | None] | None = None,
        values: Mapping[str, Mapping[str, str]] | None = None,
        root: str | None = None,
        emotions: Sequence[str] | None = None,
        name: str = "csv",
    ) -> None:
        self.path = Path(path)
        self.columns = {key: column for key, column in (columns or {}).items() if column}
        self.values = values or {}
        self.root = Path(root) if root else self.path.parent
        self.emotions = emotions
        self.name = name

    def load(self) -> Manifest:
        """Read and map the table.

        Raises:
            InputError: no such table, an empty one, a mapped column that it lacks, or values no manifest may hold.
        """
        table = self._read()
        self._check_columns(table)
        # A mapped column wins over one that happens to have the manifest's name.
        hidden = [key for key, column in self.columns.items() if key in table and key != column]
        frame = table.drop(columns=hidden).rename(columns={column: key for key, column in self.columns.items()})
        if "label" not in frame and "emotion" in frame:
            frame["label"] = frame["emotion"]
        if "clip" not in frame and "path" in frame:
            frame["clip"] = frame["path"].str.replace("\\", "/").str.replace(r"\.[^./]+$", "", regex=True)
        for column, codes in self.values.items():
            replaced = {str(code): value for code, value in codes.items()}
            frame[column] = frame[column].map(lambda value, known=replaced: known.get(str(value), value))
        for column, synonyms in SYNONYMS.items():
            if column in frame:
                frame[column] = [harmonise(value, synonyms) for value in frame[column]]
        if "path" in frame:
            frame["path"] = [str(self.root / path) if isinstance(path, str) else None for path in frame["path"]]
        return Manifest(self.name, frame).with_emotions(self.emotions)

    def _read(self) -> pd.DataFrame:
        if not self.path.is_file():
            raise InputError(
                f"dataset.path={self.path}: no such table",
                expected="a CSV file with one row a clip",
                remedy="pass dataset.path=<table.csv>",
            )
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                delimiter = csv.Sniffer().sniff(file.readline(), delimiters=",;\t|").delimiter
        except (csv.Error, UnicodeDecodeError):
            delimiter = ","
        try:
            # Everything is read as text, so that speaker 03 stays 03.
            table = pd.read_csv(self.path, sep=delimiter, dtype=str, encoding="utf-8-sig")
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise InputError(
                f"dataset.path={self.path}: not a CSV table ({error})", expected="UTF-8 text with a header line"
            ) from error
        # Blanks around a name would make two speakers of one, and let him train and test.
        table.columns = table.columns.str.strip()
        return table.apply(lambda column: column.str.strip())

    def _check_columns(self, table: pd.DataFrame) -> None:
        known = {*REQUIRED, *OPTIONAL}
        for key, column in self.columns.items():
            if column not in table:
                raise InputError(
                    f"dataset.columns.{key}={column}: {self.path} has no such column",
                    expected="one of " + ", ".join(table.columns),
                    remedy=f"known manifest columns are {', '.join(sorted(known))}",
                )
        for column in self.values:
            if column not in table and column not in self.columns:
                raise InputError(
                    f"dataset.values.{column}: {self.path} has no such column",
                    expected="one of " + ", ".join([*self.columns, *table.columns]),
                )
