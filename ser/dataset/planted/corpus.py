"""The planted corpus: generated once into a cache folder, read from there ever after."""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import joblib
import pandas as pd
import soundfile
from filelock import FileLock

from ser.dataset.manifest import Manifest
from ser.dataset.planted.clip import VERSION, Plan, make_clip
from ser.dataset.planted.lens import LENS_EMOTIONS, STRENGTH
from ser.dataset.planted.tract import RATE
from ser.errors import InputError
from ser.progress import show_progress

TABLE = "manifest.parquet"
BATCH = 2 * len(LENS_EMOTIONS)  # clips a worker makes at a time


class Planted:
    """Synthetic speech whose emotions act through five known cues ("lens"), balanced by speaker, sentence and emotion.

    Every speaker says the same sentences equally often in each of six emotions. A clip's emotion is fixed first and
    its cues are drawn given the emotion (``lens.draw_cues``), so p(cues | emotion) is that of the lens while P(emotion)
    is uniform. ``lens.infer_emotions`` is the ideal observer, ``lens.attribute_cues`` the true attribution.

    Args:
        name: what predictions and reports call the corpus.
        root: folder for generated corpora; each set of parameters has its own subfolder.
        speakers: how many; women and men alternate.
        utterances_per_speaker: a multiple of six.
        seed: of everything random. The same seed with more speakers or utterances starts with the same clips.
        strength: how clearly the cues express the emotions; at 8 the ideal observer reaches a UAR of 0.88.
        emotions: keep these only; what is generated does not depend on it.
        jobs: processes that generate; all cores by default.

    Raises:
        InputError: a parameter is out of range.
    """

    def __init__(
        self,
        name: str = "planted",
        root: str | os.PathLike[str] = "outputs/cache/planted",
        speakers: int = 12,
        utterances_per_speaker: int = 60,
        seed: int = 0,
        strength: float = STRENGTH,
        emotions: Sequence[str] | None = None,
        jobs: int | None = None,
    ) -> None:
        self.name = name
        self.root = Path(root)
        self.plan = Plan(speakers, utterances_per_speaker, seed, float(strength))
        self.emotions = emotions
        self.jobs = jobs
        _check_plan(self.plan)
        if jobs is not None and jobs < 1:
            raise InputError(
                f"dataset.jobs={jobs}: no process would work", remedy="leave dataset.jobs empty to use all cores"
            )

    @property
    def folder(self) -> Path:
        """Where this corpus lies: its name is a hash of the version and of all that changes the audio."""
        identity = json.dumps({"version": VERSION, **asdict(self.plan)}, sort_keys=True)
        return self.root / hashlib.sha256(identity.encode()).hexdigest()[:12]

    def load(self) -> Manifest:
        """The manifest; the first call generates the audio, with a progress bar on stderr.

        Any number of processes may call it at once: one generates, the others wait. A folder gets its final name only
        when it is complete.

        Raises:
            InputError: the folder cannot be written, or an emotion asked for is not in the corpus.
        """
        if not _is_complete(self.folder):
            self._generate()
        frame = pd.read_parquet(self.folder / TABLE)
        frame["path"] = [str(self.folder / path) for path in frame["path"]]
        return Manifest(self.name, frame).with_emotions(self.emotions)

    def _generate(self) -> None:
        self._make_root()
        address = self.folder.name
        with FileLock(self.root / f"{address}.lock"):
            if _is_complete(self.folder):
                return
            # Under the lock no one else builds this corpus: what is left here belongs to a killed process.
            for leftover in (self.folder, *self.root.glob(f"{address}.building-*")):
                shutil.rmtree(leftover, ignore_errors=True)
            building = self.root / f"{address}.building-{os.getpid()}"
            (building / "wav").mkdir(parents=True)
            try:
                rows = self._write_clips(building)
                pd.DataFrame(rows).sort_values("clip", ignore_index=True).to_parquet(building / TABLE)
                building.replace(self.folder)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise

    def _make_root(self) -> None:
        problem = "not writable"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"cannot make this folder ({error.strerror})"
        if not os.access(self.root, os.W_OK):
            raise InputError(
                f"dataset.root={self.root}: {problem}", remedy="set dataset.root to a folder you may write to"
            )

    def _write_clips(self, folder: Path) -> list[dict[str, object]]:
        places = [
            (speaker, utterance)
            for speaker in range(self.plan.speakers)
            for utterance in range(self.plan.utterances_per_speaker)
        ]
        batches = [places[at : at + BATCH] for at in range(0, len(places), BATCH)]
        rows: list[dict[str, object]] = []
        with show_progress(f"generating {self.name}", len(places)) as advance:
            for made in _share_out(folder, self.plan, batches, self._count_workers()):
                rows += made
                advance(len(made))
        return rows

    def _count_workers(self) -> int:
        # A worker of somebody else's pool already has its share of the cores, and may not be allowed children.
        if multiprocessing.current_process().name != "MainProcess":
            return 1
        return self.jobs or joblib.cpu_count()


def _share_out(
    folder: Path, plan: Plan, batches: list[list[tuple[int, int]]], workers: int
) -> Iterator[list[dict[str, object]]]:
    if workers == 1:
        return (_write_batch(folder, plan, batch) for batch in batches)
    pool = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    return iter(pool(joblib.delayed(_write_batch)(folder, plan, batch) for batch in batches))


def _write_batch(folder: Path, plan: Plan, places: list[tuple[int, int]]) -> list[dict[str, object]]:
    rows = []
    for speaker, utterance in places:
        clip = make_clip(plan, speaker, utterance)
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


def _check_plan(plan: Plan) -> None:
    kinds = len(LENS_EMOTIONS)
    if plan.speakers < 1:
        raise InputError(f"dataset.speakers={plan.speakers}: no one would speak", expected="1 or more")
    if plan.utterances_per_speaker < kinds or plan.utterances_per_speaker % kinds:
        raise InputError(
            f"dataset.utterances_per_speaker={plan.utterances_per_speaker}: the emotions would not be balanced",
            expected=f"a multiple of {kinds}, the number of emotions",
            remedy=f"try {max(kinds, round(plan.utterances_per_speaker / kinds) * kinds)}",
        )
    if plan.seed < 0:
        raise InputError(f"dataset.seed={plan.seed}: negative", expected="0 or more")
    if not (math.isfinite(plan.strength) and 0 <= plan.strength <= 50):
        raise InputError(
            f"dataset.strength={plan.strength}: out of range",
            expected="0 (cues carry no emotion) to 50",
            remedy=f"the default is {STRENGTH:g}",
        )
