"""Read every clip once before long work starts: what is unusable, and what exactly is there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ser.audio.prepare import BadAudio, Preparation
from ser.dataset.manifest import Manifest
from ser.errors import InputError


class Inspection(NamedTuple):
    """What one clip holds: hash and length of the prepared waveform, or why there is none."""

    digest: str
    samples: int
    problem: str


def count_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def inspect_clips(frame: pd.DataFrame, preparation: Preparation, rate: int) -> pd.DataFrame:
    """Hash, length and problem of every clip.

    Args:
        frame: rows of a manifest.
        preparation: how files become waveforms.
        rate: the consumer's rate in Hz.

    Returns:
        One row a clip, in order: ``clip``, ``path``, ``digest`` (of the prepared waveform; empty if unusable),
        ``samples``, ``problem`` (empty if usable).
    """
    places = list(zip(frame["path"], frame["start"], frame["end"], strict=True))
    # Decoding and hashing release the interpreter's lock, so threads use all cores without copying waveforms about.
    with ThreadPoolExecutor(count_cores()) as pool:
        found = list(pool.map(lambda place: inspect_file(preparation, rate, *place), places))
    table = pd.DataFrame(found, columns=Inspection._fields)
    return table.assign(clip=frame["clip"].to_numpy(), path=frame["path"].to_numpy())


def inspect_file(preparation: Preparation, rate: int, path: str, start: float, end: float) -> Inspection:
    """Inspect one clip; remembered within the process while the file's size and times stay as they are."""
    try:
        stat = Path(path).stat()
    except OSError:
        return Inspection("", 0, "no such file")
    signature = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    return _inspect(preparation, rate, path, _optional(start), _optional(end), signature)


@lru_cache(maxsize=200_000)
def _inspect(
    preparation: Preparation, rate: int, path: str, start: float | None, end: float | None, _signature: tuple
) -> Inspection:
    try:
        waveform = preparation.read(path, rate, start, end)
    except BadAudio as problem:
        return Inspection("", 0, str(problem))
    return Inspection(hash_waveform(waveform, rate), len(waveform), "")


def hash_waveform(waveform: np.ndarray, rate: int) -> str:
    """Address of a waveform's content: 32 hexadecimal digits over samples and rate."""
    return blake2b(waveform.tobytes(), digest_size=16, salt=rate.to_bytes(8, "little")).hexdigest()


def drop_bad_clips(manifest: Manifest, clips: pd.DataFrame, policy: str) -> tuple[Manifest, pd.DataFrame]:
    """Apply ``on_bad_audio`` to inspected clips.

    Args:
        manifest: the corpus.
        clips: what :func:`inspect_clips` returned for it.
        policy: ``fail`` or ``skip``.

    Returns:
        The usable manifest and its clips, in the same order.

    Raises:
        InputError: under ``fail``, each unusable file with its reason; under ``skip``, when nothing is left.
    """
    bad = clips[clips["problem"] != ""]
    if bad.empty:
        return manifest, clips
    listing = list_problems(bad)
    if policy == "fail":
        raise InputError(
            f"{len(bad)} of {len(clips)} clips of {manifest.name} cannot be used:\n{listing}",
            remedy="mend or remove the files, or pass on_bad_audio=skip to go on without them (they are counted)",
        )
    if len(bad) == len(clips):
        raise InputError(
            f"none of the {len(clips)} clips of {manifest.name} can be used:\n{listing}",
            remedy="check dataset.root and the files",
        )
    kept = manifest.drop(bad["clip"], f"{len(bad)} unusable clips were skipped:\n{listing}")
    return kept, clips[clips["problem"] == ""].reset_index(drop=True)


def list_problems(bad: pd.DataFrame, most: int = 20) -> str:
    """One line a file with its reason, at most ``most`` of them and a count of the rest."""
    shown = bad.head(most)
    lines = [f"  {path}: {problem}" for path, problem in zip(shown["path"], shown["problem"], strict=True)]
    return "\n".join([*lines, *([f"  … and {len(bad) - most} more"] if len(bad) > most else [])])


def fingerprint(frame: pd.DataFrame, digests: Iterable[str]) -> str:
    """One hash over what was read: the content of each clip and all its manifest columns except where it lies."""
    table = frame.drop(columns="path").assign(digest=list(digests))
    text = table.reindex(columns=sorted(table.columns)).to_csv(index=False)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _optional(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
