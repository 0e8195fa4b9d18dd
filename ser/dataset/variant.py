"""Variants of a corpus: the same clips as other audio, voice-converted or anonymised, say.

Only the audio is swapped. Labels stay, and so do the original speakers: they decide who trains and who is tested,
whoever the voice now sounds like.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ser.dataset.files import find_audio
from ser.errors import InputError

USES = ("both", "train", "test")
ORIGINAL = "original"


def check_use(use: str) -> None:
    """Raise InputError unless a variant may be used like this."""
    if use not in USES:
        raise InputError(f"dataset.variant.use={use}", expected=", ".join(USES))


def swap_audio(frame: pd.DataFrame, root: str, table: str | None, name: str) -> pd.DataFrame:
    """Rows of a manifest with the variant's file of each clip in ``path``, and its name in column ``variant``.

    Args:
        frame: rows of the original.
        root: folder of the variant; files are found by the name of the original's file without its ending.
        table: CSV file with columns ``clip`` and ``path`` (relative to ``root``), where names do not tell.
        name: what results call the variant.

    Raises:
        InputError: clips without a file, files of one name, or clips that are parts of longer files.
    """
    if frame["start"].notna().any() or frame["end"].notna().any():
        raise InputError(
            "dataset.variant: clips that are parts of longer files cannot be swapped",
            remedy="cut the corpus into files, and leave out audio/duration=chunk",
        )
    paths = read_map(Path(table), Path(root)) if table else find_by_name(frame, Path(root))
    missing = [clip for clip in frame["clip"] if clip not in paths]
    if missing:
        raise InputError(
            f"dataset.variant.root={root}: no audio for {len(missing)} of {len(frame)} clips: "
            + ", ".join(missing[:5])
            + (" …" if len(missing) > 5 else ""),
            expected="a file for each clip, named like the original's" if not table else f"a row for each in {table}",
            remedy="convert the missing clips, or pass dataset.variant.map=<csv with clip,path>",
        )
    return frame.assign(path=[paths[clip] for clip in frame["clip"]], variant=name)


def find_by_name(frame: pd.DataFrame, root: Path) -> dict[str, str]:
    """Clip → file of the same name as the original's, any audio ending."""
    found: dict[str, list[Path]] = {}
    for path in find_audio(root, "the variant"):
        found.setdefault(path.stem, []).append(path)
    stems = {clip: Path(path).stem for clip, path in zip(frame["clip"], frame["path"], strict=True)}
    double = [stem for stem in set(stems.values()) if len(found.get(stem, [])) > 1]
    if double or len(set(stems.values())) < len(stems):
        raise InputError(
            f"dataset.variant.root={root}: file names do not tell clips apart: "
            + (", ".join(sorted(double)[:3]) or "the originals have some in common"),
            remedy="pass dataset.variant.map=<csv with clip,path>",
        )
    return {clip: str(found[stem][0]) for clip, stem in stems.items() if stem in found}


def read_map(table: Path, root: Path) -> Mapping[str, str]:
    """Clip → file from a table."""
    if not table.is_file():
        raise InputError(f"dataset.variant.map={table}: no such table", expected="a CSV file with columns clip,path")
    rows = pd.read_csv(table, dtype=str)
    if not {"clip", "path"} <= set(rows.columns):
        raise InputError(
            f"dataset.variant.map={table}: columns {', '.join(rows.columns)}", expected="columns clip and path"
        )
    return {clip: str(root / path) for clip, path in zip(rows["clip"], rows["path"], strict=True)}
