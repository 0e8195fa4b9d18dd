"""Read every clip once before long work starts: what is unusable, and what exactly is there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ser.audio.prepare import BadAudio, OutOfRange, Preparation
from ser.dataset.manifest import Manifest
from ser.errors import InputError

log = logging.getLogger(__name__)


class Inspection(NamedTuple):
    """What one clip holds: hash, length and place of the prepared waveform, or why there is none."""

    digest: str = ""
    samples: int = 0
    problem: str = ""
    excluded: str = ""
    offset: float = 0.0
    begin: int = 0
    valid: int = 0
    shortfall: float = 0.0


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
        One row a clip, in order: ``clip``, ``path``, ``digest`` (of the prepared waveform; empty if there is none),
        ``samples``, ``problem`` (why it is unusable, else empty), ``excluded`` (why its duration was not asked for,
        else empty), and of :class:`~ser.audio.prepare.Prepared` ``offset``, ``begin``, ``valid`` and ``shortfall``.
    """
    places = list(zip(frame["path"], frame["start"], frame["end"], strict=True))
    # Decoding and hashing release the interpreter's lock, so threads use all cores without copying waveforms about.
    with ThreadPoolExecutor(count_cores()) as pool:
        found = list(pool.map(lambda place: inspect_file(preparation, rate, *place), places))
    table = pd.DataFrame(found, columns=Inspection._fields)
    if note := describe_shortfall(table):
        log.info(note)
    return table.assign(clip=frame["clip"].to_numpy(), path=frame["path"].to_numpy())


def describe_shortfall(clips: pd.DataFrame) -> str:
    """How many clips the peak guard kept below their loudness, and by how much; empty for none."""
    short = clips.loc[clips["shortfall"] > 0, "shortfall"]
    if short.empty:
        return ""
    most = short.max()
    return f"peak guard: {len(short)} of {len(clips)} clips stay below the loudness target, by at most {most:.1f} dB"


def inspect_file(preparation: Preparation, rate: int, path: str, start: float, end: float) -> Inspection:
    """Inspect one clip; remembered within the process while the file's size and times stay as they are."""
    try:
        stat = Path(path).stat()
    except OSError:
        return Inspection(problem="no such file")
    signature = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    return _inspect(preparation, rate, path, _optional(start), _optional(end), signature)


@lru_cache(maxsize=200_000)
def _inspect(
    preparation: Preparation, rate: int, path: str, start: float | None, end: float | None, _signature: tuple
) -> Inspection:
    try:
        clip = preparation.prepare(path, rate, start, end)
    except OutOfRange as reason:
        return Inspection(excluded=str(reason))
    except BadAudio as problem:
        return Inspection(problem=str(problem))
    padding = None if clip.valid == len(clip.waveform) else (clip.begin, clip.valid)
    return Inspection(
        hash_waveform(clip.waveform, rate, padding),
        len(clip.waveform),
        offset=clip.offset,
        begin=clip.begin,
        valid=clip.valid,
        shortfall=clip.shortfall,
    )


def hash_waveform(waveform: np.ndarray, rate: int, padding: tuple[int, int] | None = None) -> str:
    """Address of a waveform's content: 32 hexadecimal digits over samples, rate and, if padded, what is the clip.

    Args:
        waveform: [T].
        rate: in Hz.
        padding: ``begin`` and ``valid`` of a padded clip: zeros of its own and zeros of padding are not the same.
    """
    place = b"" if padding is None else b"".join(number.to_bytes(8, "little") for number in padding)
    return blake2b(waveform.tobytes(), digest_size=16, salt=rate.to_bytes(8, "little"), person=place).hexdigest()


def drop_bad_clips(manifest: Manifest, clips: pd.DataFrame, policy: str) -> tuple[Manifest, pd.DataFrame]:
    """Apply ``on_bad_audio`` to inspected clips; those of a duration not asked for are left out under any policy.

    Args:
        manifest: the corpus.
        clips: what :func:`inspect_clips` returned for it.
        policy: ``fail`` or ``skip``.

    Returns:
        The usable manifest and its clips, in the same order.

    Raises:
        InputError: under ``fail``, each unusable file with its reason; when nothing is left.
    """
    bad, excluded = clips[clips["problem"] != ""], clips[clips["excluded"] != ""]
    if len(bad) and policy == "fail":
        raise InputError(
            f"{len(bad)} of {len(clips)} clips of {manifest.name} cannot be used:\n{list_problems(bad)}",
            remedy="mend or remove the files, or pass on_bad_audio=skip to go on without them (they are counted)",
        )
    if len(bad) + len(excluded) == len(clips):
        listing = list_problems(pd.concat([bad, excluded.assign(problem=excluded["excluded"])]))
        raise InputError(
            f"none of the {len(clips)} clips of {manifest.name} can be used:\n{listing}",
            remedy="check dataset.root and the files" + (", and audio.duration" if len(excluded) else ""),
        )
    if len(bad):
        note = f"{len(bad)} unusable clips were skipped:\n{list_problems(bad)}"
        manifest = manifest.drop(bad["clip"], note)
    if len(excluded):
        listing = list_problems(excluded.assign(problem=excluded["excluded"]))
        note = f"{len(excluded)} clips were left out by audio.duration:\n{listing}"
        manifest = manifest.drop(excluded["clip"], note)
    usable = (clips["problem"] == "") & (clips["excluded"] == "")
    return manifest, clips if usable.all() else clips[usable].reset_index(drop=True)


def list_problems(bad: pd.DataFrame, most: int = 20) -> str:
    """One line a file with its reason, at most ``most`` of them and a count of the rest."""
    shown = bad.head(most)
    lines = [f"  {path}: {problem}" for path, problem in zip(shown["path"], shown["problem"], strict=True)]
    return "\n".join([*lines, *([f"  … and {len(bad) - most} more"] if len(bad) > most else [])])


def fingerprint(frame: pd.DataFrame, digests: Iterable[str]) -> str:
    """One hash over what was read: the content of each clip and all its manifest columns except where it lies."""
    table = frame.drop(columns="path")
    text = table.reindex(columns=sorted(table.columns)).to_csv(index=False) + "\n".join(digests)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _optional(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
