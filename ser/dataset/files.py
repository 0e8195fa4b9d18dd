"""Finding a corpus's audio files, and saying plainly when they are not there."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser.errors import InputError

AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".opus", ".aif", ".aiff", ".au", ".sph", ".wv"}


def find_audio(root: Path, name: str, inside: str = "") -> list[Path]:
    """All audio files of a corpus, sorted.

    Args:
        root: what the user passed as ``dataset.root``.
        name: the corpus, for messages.
        inside: the publisher's folder for audio; used when ``root`` holds it.

    Raises:
        InputError: no such folder, or no audio in it (what was found instead is named).
    """
    check_root(root, name)
    folder = root / inside if inside and (root / inside).is_dir() else root
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO and path.is_file())
    if not files:
        found = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
        raise InputError(
            f"dataset.root={root}: no audio files for {name}",
            expected=f"files ending in {', '.join(sorted(AUDIO))}{f', in {inside}/' if inside else ''}; found {found}",
            remedy="point dataset.root at the corpus's top folder or at the folder with the audio",
        )
    return files


def check_root(root: Path, name: str) -> None:
    """Raise InputError unless ``root`` is a folder."""
    if not root.is_dir():
        raise InputError(
            f"dataset.root={root}: no such folder",
            expected=f"the folder of {name} as its publisher lays it out",
            remedy=f"pass dataset.root=<folder>, or set SER_DATA to the folder that holds {name}/",
        )


def read_names(
    files: Sequence[Path],
    parse: Callable[[Path], dict[str, object] | None],
    root: Path,
    name: str,
    corpus: str,
    expected: str,
) -> tuple[pd.DataFrame, list[str]]:
    """The manifest rows that file names give, one a clip, and notes on the files that give none.

    Copies in circulation hold the same files twice (a folder nested in itself, ``.wav`` beside ``.flac``): of files
    with the same clip id the first is taken.

    Args:
        files: sorted audio files, at least one.
        parse: row of a file, with its ``clip``; ``None`` if its name is not the corpus's.
        root: what the user passed as ``dataset.root``.
        name: what results call the corpus.
        corpus: what its publisher calls it.
        expected: what its names look like.

    Raises:
        InputError: no file is named like the corpus's own.
    """
    rows = [row for path in files if (row := parse(path))]
    if not rows:
        raise InputError(
            f"dataset.root={root}: none of its {len(files)} audio files is named like {corpus}'s, e.g. {files[0].name}",
            expected=f"names like {expected}",
            remedy=f"point dataset.root at {corpus}'s top folder or at the folder with its audio",
        )
    frame = pd.DataFrame(rows).drop_duplicates("clip", ignore_index=True)
    notes = []
    if len(frame) < len(rows):
        notes.append(
            f"{name}: {len(rows) - len(frame)} audio files repeat a clip's name (a copy nested in itself?); "
            "the first of each is used"
        )
    if len(rows) < len(files):
        notes.append(f"{name}: {len(files) - len(rows)} audio files not named like {corpus}'s were left out")
    return frame, notes


def find_beside(files: Sequence[Path], root: Path, table: str) -> Path | None:
    """A publisher's table next to the audio, or in a folder above it up to the one that holds ``root``."""
    top = root.absolute().parent
    for folder in dict.fromkeys([root.absolute(), *files[0].absolute().parents, top]):
        if folder.is_relative_to(top) and (folder / table).is_file():
            return folder / table
    return None


def read_details(table: Path, key: str, columns: Mapping[str, str], separator: str = ",") -> pd.DataFrame:
    """Columns of a publisher's table as text without stray blanks, renamed, by ``key``; the first row of each key.

    Raises:
        InputError: not a table, or a column is missing.
    """
    quoting = csv.QUOTE_MINIMAL if separator == "," else csv.QUOTE_NONE
    options: dict[str, Any] = {"sep": separator, "quoting": quoting, "dtype": str, "keep_default_na": False}
    try:
        frame = pd.read_csv(table, encoding="utf-8-sig", **options)
    except ValueError as error:
        raise InputError(
            f"{table}: cannot be read: {error}",
            expected=f"a table with columns {', '.join([key, *columns])}",
            remedy="restore the publisher's table, or take it away",
        ) from error
    missing = [column for column in (key, *columns) if column not in frame]
    if missing:
        raise InputError(
            f"{table}: no column {', '.join(missing)}",
            expected=f"{', '.join([key, *columns])}; found {', '.join(frame.columns)}",
            remedy="restore the publisher's table, or take it away",
        )
    frame = frame.apply(lambda column: column.str.strip()).drop_duplicates(key).set_index(key)
    return frame[list(columns)].rename(columns=dict(columns)).replace("", None)
