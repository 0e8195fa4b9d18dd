"""A folder for a generated corpus: written once by all cores, complete or not there, named after what is in it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import joblib
import pandas as pd
import soundfile
from filelock import FileLock

from ser.dataset.planted.clip import VERSION, Clip
from ser.dataset.planted.tract import RATE
from ser.errors import InputError
from ser.progress import show_progress

TABLE = "manifest.parquet"
BATCH = 12  # clips a worker makes at a time

#: Speaker and utterance.
Place = tuple[int, int]


class Plan(Protocol):
    """What makes a corpus: the same plan gives the same clips, each from nothing but its place."""

    def identify(self) -> Mapping[str, object]:
        """All that changes the audio or the table."""

    def list_places(self) -> list[Place]:
        """Every clip there is to be."""

    def make(self, speaker: int, utterance: int) -> Clip:
        """One clip."""

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with the columns that follow from the plan."""


def name_folder(plan: Plan) -> str:
    """A hash of the version and of all that changes the audio."""
    identity = json.dumps({"version": VERSION, **plan.identify()}, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def read_folder(folder: Path) -> pd.DataFrame:
    """The table of a folder, with the full path of every clip."""
    frame = pd.read_parquet(folder / TABLE)
    frame["path"] = [str(folder / path) for path in frame["path"]]
    return frame


def fill_folder(root: Path, plan: Plan, name: str, jobs: int | None) -> Path:
    """The folder of a corpus; the first call generates the audio, with a progress bar on stderr.

    Any number of processes may call it at once: one generates, the others wait. A folder gets its final name only when
    it is complete.

    Args:
        root: of all generated corpora.
        plan: what is to be in it.
        name: of the corpus, for the progress bar.
        jobs: processes that generate; ``None`` is all cores.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = root / name_folder(plan)
    if _is_complete(folder):
        return folder
    _make_root(root)
    with FileLock(root / f"{folder.name}.lock"):
        if _is_complete(folder):
            return folder
        # Under the lock no one else builds this corpus: what is left here belongs to a killed process.
        for leftover in (folder, *root.glob(f"{folder.name}.building-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        building = root / f"{folder.name}.building-{os.getpid()}"
        (building / "wav").mkdir(parents=True)
        try:
            rows = _write_clips(building, plan, name, _count_workers(jobs))
            pd.DataFrame(rows).sort_values("clip", ignore_index=True).to_parquet(building / TABLE)
            building.replace(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    return folder


def _make_root(root: Path) -> None:
    problem = "not writable"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot make this folder ({error.strerror})"
    if not os.access(root, os.W_OK):
        raise InputError(f"dataset.root={root}: {problem}", remedy="set dataset.root to a folder you may write to")


def _count_workers(jobs: int | None) -> int:
    # A worker of somebody else's pool already has its share of the cores, and may not be allowed children.
    if multiprocessing.current_process().name != "MainProcess":
        return 1
    return jobs or joblib.cpu_count()


def _write_clips(folder: Path, plan: Plan, name: str, workers: int) -> list[dict[str, object]]:
    places = plan.list_places()
    batches = [places[at : at + BATCH] for at in range(0, len(places), BATCH)]
    rows: list[dict[str, object]] = []
    with show_progress(f"generating {name}", len(places)) as advance:
        for made in _share_out(folder, plan, batches, workers):
            rows += made
            advance(len(made))
    return rows


def _share_out(folder: Path, plan: Plan, batches: list[list[Place]], workers: int) -> Iterator[list[dict[str, object]]]:
    if workers == 1:
        return (_write_batch(folder, plan, batch) for batch in batches)
    pool = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    return iter(pool(joblib.delayed(_write_batch)(folder, plan, batch) for batch in batches))


def _write_batch(folder: Path, plan: Plan, places: list[Place]) -> list[dict[str, object]]:
    rows = []
    for speaker, utterance in places:
        clip = plan.make(speaker, utterance)
        path = f"wav/{clip.row['clip']}.flac"
        soundfile.write(folder / path, clip.wave, RATE, subtype="PCM_16")
        rows.append({"path": path, **clip.row})
    return rows


def _is_complete(folder: Path) -> bool:
    """Whether the folder has its table and every clip the table names."""
    table = folder / TABLE
    if not table.is_file():
        return False
    named = pd.read_parquet(table, columns=["path"])["path"]
    there = {f"wav/{entry.name}" for entry in os.scandir(folder / "wav")} if (folder / "wav").is_dir() else set()
    return there.issuperset(named)
