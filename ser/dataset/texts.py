"""Transcripts from a table of their own, for corpora that have none, or in place of what a corpus has."""

from __future__ import annotations

from pathlib import Path

from ser.dataset.manifest import Manifest, find_blanks
from ser.dataset.table import read_table
from ser.errors import InputError


def replace_texts(manifest: Manifest, path: str | Path | None) -> Manifest:
    """The manifest with the transcripts of a table; a clip that it does not name keeps its own.

    Args:
        manifest: of one corpus.
        path: CSV, TSV or Parquet with columns ``clip`` and ``text``, and perhaps ``words`` (when each word happens, see
            :mod:`ser.explainer.marks`); where it has ``dataset`` as well, rows of other corpora are skipped. ``None``
            changes nothing.

    Raises:
        InputError: no such table or columns, a clip named twice, clips that the corpus does not have.
    """
    if not path:
        return manifest
    shown = f"dataset.texts={path}"
    table = read_table(Path(path), shown)
    if lacking := [name for name in ("clip", "text") if name not in table]:
        raise InputError(
            f"{shown}: no column {' and '.join(lacking)}", expected="clip and text; found " + ", ".join(table.columns)
        )
    if "dataset" in table:
        table = table[table["dataset"] == manifest.name]
        if table.empty:  # it is about another of the corpora that are put together
            return manifest
    twice = table["clip"][table["clip"].duplicated()]
    if len(twice):
        raise InputError(f"{shown}: a clip has two texts: {twice.iloc[0]}", expected="one row a clip")
    unknown = table["clip"][~table["clip"].isin(manifest.frame["clip"])]
    if len(unknown):
        raise InputError(
            f"{shown}: clips that {manifest.name} does not have: {', '.join(unknown.iloc[:5].astype(str))}",
            expected=f"ids such as {manifest.frame['clip'].iloc[0]}",
        )
    texts = manifest.frame["clip"].map(table.set_index("clip")["text"].astype(object))
    texts = texts.where(manifest.frame["clip"].isin(table["clip"]), manifest.frame["text"])
    note = f"{manifest.name}: transcripts of {len(table)} of {len(manifest)} clips are those of {Path(path).name}"
    frame = manifest.frame.assign(text=texts.astype(object).mask(find_blanks(texts), None))
    if "words" in table:
        frame["words"] = frame["clip"].map(table.set_index("clip")["words"].astype(object))
    return Manifest(manifest.name, frame, (*manifest.notes, note))
