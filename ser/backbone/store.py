"""The feature store: what frozen extractors computed, addressed by content, shared by any number of processes.

One file a clip (or one for each variant of it), ``<root>/<extractor>/<shard>/<address>.npy``. A file appears by an
atomic rename, so a reader sees all of it or nothing; a shard's writer holds its lock, which the system releases when
the process dies.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from threading import get_ident
from typing import Any, TypeVar

import numpy as np
from filelock import FileLock, Timeout

#: Where an extractor's record lies in its folder.
RECORD = "backbone.json"

T = TypeVar("T")


class FeatureStore:
    """Arrays of one extractor.

    Args:
        root: the store's folder.
        identity: everything that decides what the extractor yields (name, version, weights hash, parameters); two
            extractors with different identities never share an address.
        variants: arrays of each clip: one, or one for each variant that an augmentation makes of it.
    """

    def __init__(self, root: str | Path, identity: Mapping[str, object], variants: int = 1) -> None:
        self.identity = json.dumps(identity, sort_keys=True)
        self.folder = Path(root) / blake2b(self.identity.encode(), digest_size=8).hexdigest()
        self.variants = variants

    def find_path(self, digest: str, variant: int = 0) -> Path:
        """Where the features of the waveform with this hash lie, or would lie."""
        address = blake2b((digest + self.identity).encode(), digest_size=16).hexdigest()
        return self.folder / address[:2] / (f"{address}-{variant}.npy" if variant else f"{address}.npy")

    def find_missing(self, digests: Iterable[str]) -> list[str]:
        """The distinct hashes that have no features yet."""
        last = self.variants - 1  # written last
        return [digest for digest in dict.fromkeys(digests) if not self.find_path(digest, last).exists()]

    def read(self, digests: Sequence[str], variant: int = 0) -> list[np.ndarray]:
        """The features of each waveform, in order; KeyError for one that was never written."""
        return self.load(digests, load_array, variant)

    def load(self, digests: Sequence[str], read_file: Callable[[Path], T], variant: int = 0) -> list[T]:
        """What a function reads from the file of each waveform, in order; KeyError for one that was never written."""
        try:
            return [read_file(self.find_path(digest, variant)) for digest in digests]
        except FileNotFoundError as error:
            raise KeyError(f"no features at {error.filename}") from None

    def write(self, digest: str, *features: np.ndarray) -> None:
        """Keep the features of one waveform, an array for each variant; a file appears whole or not at all."""
        if len(features) != self.variants:
            raise ValueError(f"{len(features)} arrays of a clip that has {self.variants} variants")
        for variant, array in enumerate(features):
            path = self.find_path(digest, variant)
            self._make_folder(path.parent)
            temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp")
            with temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
            temporary.replace(path)

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Keep what a person or a run must know of the extractor beside its features."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_text(self.folder / RECORD, json.dumps(record, indent=2) + "\n")

    def read_record(self) -> dict[str, Any]:
        """What :meth:`write_record` kept; empty if it never did."""
        path = self.folder / RECORD
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def claim(self, digests: Sequence[str], at_least: int = 32) -> Iterator[list[str]]:
        """Yield batches of what is missing, each held against other processes until the next is asked for.

        Shards that another process is filling are left for last; by then it has written them, so no clip is computed
        twice. A batch has about ``at_least`` clips.
        """
        shards: dict[Path, list[str]] = {}
        for digest in self.find_missing(digests):
            shards.setdefault(self.find_path(digest).parent, []).append(digest)
        busy: list[Path] = []
        waiting = list(shards)
        while waiting:
            with _hold(waiting, at_least, shards, busy) as held:
                batch = [digest for shard in held for digest in self.find_missing(shards[shard])]
                if batch:
                    yield batch
        for shard in busy:
            with FileLock(_lock_path(shard)):
                if batch := self.find_missing(shards[shard]):
                    yield batch

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
        note = self.folder / "extractor.json"
        if not note.exists():
            _write_text(note, self.identity + "\n")


@contextmanager
def _hold(
    waiting: list[Path], at_least: int, shards: Mapping[Path, Sequence[str]], busy: list[Path]
) -> Iterator[list[Path]]:
    """Take locks off ``waiting`` until enough clips are held; shards locked elsewhere move to ``busy``."""
    locks: list[FileLock] = []
    held: list[Path] = []
    try:
        while waiting and sum(len(shards[shard]) for shard in held) < at_least:
            shard = waiting.pop()
            shard.mkdir(parents=True, exist_ok=True)
            lock = FileLock(_lock_path(shard))
            try:
                lock.acquire(blocking=False)
            except Timeout:
                busy.append(shard)
                continue
            locks.append(lock)
            held.append(shard)
            for stray in shard.glob("*.tmp"):  # a writer that was killed while it held this lock
                stray.unlink(missing_ok=True)
        yield held
    finally:
        for lock in locks:
            lock.release()


def _lock_path(shard: Path) -> Path:
    return shard / ".lock"


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_suffix(f".{os.getpid()}-{get_ident()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def load_array(path: Path) -> np.ndarray:
    """The array in a file."""
    # Reading the bytes first is several times faster than np.load on a path, and a warm run is all reading.
    return np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)


def load_row(path: Path, find_row: Callable[[int], int]) -> np.ndarray:
    """One row of the array in a file, without reading the others; ``find_row`` gets their number and tells which."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)  # the version that np.save writes
        size = math.prod(shape[1:])
        row = find_row(shape[0])
        return np.fromfile(file, dtype, size, offset=row * size * dtype.itemsize).reshape(shape[1:])
