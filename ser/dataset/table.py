"""A corpus of one's own: any CSV, TSV or Parquet table, its columns and codes mapped in the configuration.

Also what the parsers of corpora with label files share: finding such a file, reading it, joining it with the audio.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ser.dataset.files import check_root
from ser.dataset.harmonise import EMOTION_SYNONYMS, GENDER_SYNONYMS, PART_SYNONYMS, harmonise
from ser.dataset.manifest import LABELS, OPTIONAL, REQUIRED, Manifest
from ser.dataset.raters import merge_votes
from ser.errors import InputError

#: Emotion as numbers, in every corpus under these names.
DIMENSIONS = ("arousal", "valence", "dominance")
SYNONYMS = {"emotion": EMOTION_SYNONYMS, "gender": GENDER_SYNONYMS, "split": PART_SYNONYMS}


class Table:
    """Clips listed in a CSV file (comma, semicolon, tab or bar; the delimiter is found), TSV or Parquet file.

    Everything is text, so that speaker 03 stays 03; only the numbers of a Parquet file stay numbers. Columns named
    ``arousal``, ``valence`` and ``dominance`` must hold numbers, as must votes of raters (``rated_<emotion>``, the
    emotion written as in the table or harmonised).

    Args:
        path: the table.
        columns: manifest column → column of the table. One that is ``None`` or left out is taken from the table's
            column of the same name, if there is one; ``clip`` then defaults to the file's path and ``label`` to the
            emotion as written. Without a column for the emotion, only numbers can be predicted. Columns that are not
            mapped are kept under their own names.
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
        table = read_table(self.path, f"dataset.path={self.path}")
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
        for dimension in DIMENSIONS:
            if dimension in frame:
                frame[dimension] = self._to_numbers(frame[dimension])
        frame = merge_votes(frame, self._list_codes())
        return Manifest(self.name, frame).with_emotions(self.emotions)

    def _list_codes(self) -> dict[str, str]:
        """Spelling of an emotion → its harmonised name."""
        own = self.values.get("emotion", {}).items()
        return EMOTION_SYNONYMS | {str(code): str(harmonise(value, EMOTION_SYNONYMS)) for code, value in own}

    def _to_numbers(self, column: pd.Series) -> pd.Series:
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        wrong = column[numbers.isna() & column.notna()]
        if len(wrong):
            raise InputError(
                f"dataset.path={self.path}: {column.name} is not a number in {len(wrong)} rows, e.g. {wrong.iloc[0]!r}",
                remedy="mend the table; numbers are written with a point",
            )
        return numbers

    def _check_columns(self, table: pd.DataFrame) -> None:
        known = {*REQUIRED, *LABELS, *OPTIONAL, *DIMENSIONS}
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


def read_table(path: Path, shown: str = "") -> pd.DataFrame:
    """A table as text (the numbers of a Parquet file stay numbers), blanks around names and values removed.

    Args:
        path: ``.parquet``; or text with a header line: ``.tsv``, anything else with whichever delimiter it has.
        shown: what messages call it (default: the path).

    Raises:
        InputError: no such file, or not a table.
    """
    shown = shown or str(path)
    if not path.is_file():
        raise InputError(
            f"{shown}: no such table",
            expected="a CSV, TSV or Parquet file with one row a clip",
            remedy="pass dataset.path=<table.csv>",
        )
    try:
        table = read_parquet(path) if path.suffix.lower() == ".parquet" else read_csv(path)
    except (ValueError, OSError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        expected = "a Parquet file" if path.suffix.lower() == ".parquet" else "UTF-8 text with a header line"
        raise InputError(f"{shown}: not a table ({error})", expected=expected) from error
    # Blanks around a name would make two speakers of one, and let him train and test.
    table.columns = table.columns.astype(str).str.strip()
    return table.apply(lambda column: column if is_number(column) else column.str.strip())


def read_csv(path: Path) -> pd.DataFrame:
    """A text table; its delimiter is found in the header line."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    if delimiter == ",":
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                delimiter = csv.Sniffer().sniff(file.readline(), delimiters=",;\t|").delimiter
        except (csv.Error, UnicodeDecodeError):
            delimiter = ","
    return pd.read_csv(path, sep=delimiter, dtype=str, encoding="utf-8-sig")


def read_parquet(path: Path) -> pd.DataFrame:
    """A Parquet table; what is no number becomes text, a named index becomes columns."""
    table = pd.read_parquet(path)
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    return table.apply(
        lambda column: column if is_number(column) else column.astype(object).map(str, na_action="ignore").astype("str")
    )


def is_number(column: pd.Series) -> bool:
    """Whether a column holds numbers; truth values are none."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def find_labels(root: Path, name: str, patterns: Sequence[str]) -> list[Path]:
    """A publisher's label files in ``root``, or one folder deeper, where archives like to put everything.

    Args:
        root: what the user passed as ``dataset.root``.
        name: the corpus, for messages.
        patterns: glob patterns under the publisher's top folder; the first that matches wins.

    Raises:
        InputError: no such folder, or no such file in it (what was found instead is named).
    """
    check_root(root, name)
    for prefix in ("", "*/"):
        for pattern in patterns:
            # ._name and __MACOSX are what macOS leaves in archives.
            found = [path for path in root.glob(prefix + pattern) if "__MACOSX" not in path.parts]
            if files := sorted(path for path in found if not path.name.startswith(".")):
                return files
    present = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
    raise InputError(
        f"dataset.root={root}: no labels of {name}",
        expected=f"{' or '.join(patterns)}; found {present}",
        remedy="point dataset.root at the corpus's top folder, as its publisher lays it out",
    )


def index_audio(files: Sequence[Path]) -> dict[str, Path]:
    """Audio files by name without ending; of files with the same name the first is taken."""
    return {path.stem: path for path in reversed(files) if not path.name.startswith(".")}


def join_audio(
    labels: pd.DataFrame, paths: Mapping[str, Path], root: Path, name: str
) -> tuple[pd.DataFrame, list[str]]:
    """The labelled clips whose audio is there, with its ``path``, and notes on labels and audio without the other.

    Args:
        labels: one row a clip, with its ``clip``.
        paths: the audio of each clip; at least one.
        root: what the user passed as ``dataset.root``.
        name: the corpus, for messages.

    Raises:
        InputError: no labelled clip has audio.
    """
    frame = labels.assign(path=labels["clip"].map({clip: str(path) for clip, path in paths.items()}))
    frame = frame[frame["path"].notna()].reset_index(drop=True)
    if frame.empty:
        raise InputError(
            f"dataset.root={root}: none of the {len(labels)} labelled clips of {name} has audio",
            expected=f"files named like {labels['clip'].iloc[0]}.wav; found {next(iter(paths.values())).name}",
            remedy="unpack the corpus's audio below dataset.root",
        )
    notes = []
    if len(frame) < len(labels):
        missing = len(labels) - len(frame)
        notes.append(f"{name}: {missing} of {len(labels)} labelled clips have no audio here and were left out")
    if unlabelled := len(set(paths) - set(labels["clip"])):
        notes.append(f"{name}: {unlabelled} audio files have no label and were left out")
    return frame, notes
