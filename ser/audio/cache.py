"""Prepared clips on disk, addressed by the file's content and everything that was done to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import get_ident

import numpy as np
import soundfile
import soxr

from ser.audio.prepare import Prepared

#: Raised whenever a step's code yields other samples for the same parameters.
VERSION = 1
#: What stands before the samples, as float64: how many there are, and the other attributes of Prepared.
FIELDS = ("rate", "offset", "begin", "valid", "shortfall")


@dataclass(frozen=True)
class AudioCache:
    """A folder of prepared clips, shared by any number of processes; may be deleted at any time.

    A file appears by an atomic rename, so a reader sees all of it or nothing. A folder that cannot be written to, or a
    full disk, costs time only.

    Args:
        root: the folder.
    """

    root: str | Path

    def fetch(self, path: str | Path, identity: str, compute: Callable[[], Prepared]) -> Prepared:
        """The clip as it was kept, or computed and kept.

        Args:
            path: the audio file; its content counts, its name does not.
            identity: which part of it, and what is done to that.
            compute: does it; what it raises is not kept.
        """
        try:
            content = hash_file(path)
        except OSError:
            return compute()
        libraries = f"{VERSION} {soxr.__version__} {soundfile.__libsndfile_version__}"
        address = blake2b(f"{content} {identity} {libraries}".encode(), digest_size=16).hexdigest()
        place = Path(self.root) / address[:2] / f"{address}.clip"
        clip = read_clip(place)
        if clip is None:
            clip = compute()
            with contextlib.suppress(OSError):
                write_clip(place, clip)
        return clip


def hash_file(path: str | Path) -> str:
    """Hash of a file's content; remembered within the process while its size and times stay as they are."""
    stat = Path(path).stat()
    return _hash(str(path), (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino))


@lru_cache(maxsize=200_000)
def _hash(path: str, _signature: tuple[int, ...]) -> str:
    return blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


def read_clip(place: Path) -> Prepared | None:
    """The clip in a file; ``None`` if there is none or it is not whole."""
    try:
        content = place.read_bytes()
    except OSError:
        return None
    head = 8 * (1 + len(FIELDS))
    if len(content) < head:
        return None
    count, rate, offset, begin, valid, shortfall = np.frombuffer(content[:head], "<f8").tolist()
    if len(content) != head + 4 * count:
        return None
    waveform = np.frombuffer(content, "<f4", offset=head).astype(np.float32)
    return Prepared(waveform, int(rate), offset, int(begin), int(valid), shortfall)


def write_clip(place: Path, clip: Prepared) -> None:
    """Write a clip; the file appears whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    head = np.array([len(clip.waveform), *(getattr(clip, name) for name in FIELDS)], "<f8")
    temporary = place.with_name(f"{place.stem}.{os.getpid()}-{get_ident()}.tmp")
    try:
        temporary.write_bytes(head.tobytes() + clip.waveform.astype("<f4").tobytes())
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
