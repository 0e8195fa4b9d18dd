"""The planted corpus: generated once into a cache folder, read from there ever after."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from ser.dataset.manifest import Manifest
from ser.dataset.planted.folder import Plan, fill_folder, name_folder, read_folder
from ser.dataset.planted.lens import LENS_EMOTIONS, STRENGTH
from ser.dataset.planted.lens_plan import LensPlan
from ser.errors import InputError

#: Where corpora go unless the configuration says so.
ROOT = "outputs/cache/planted"


class Generated:
    """A corpus that a plan makes.

    Args:
        plan: what is in it.
        name: what predictions and reports call the corpus.
        root: folder for generated corpora; each set of parameters has its own subfolder.
        emotions: keep these only; what is generated does not depend on it.
        jobs: processes that generate; all cores by default.

    Raises:
        InputError: no process would work.
    """

    def __init__(
        self, plan: Plan, name: str, root: str | os.PathLike[str], emotions: Sequence[str] | None, jobs: int | None
    ) -> None:
        self.plan = plan
        self.name = name
        self.root = Path(root)
        self.emotions = emotions
        self.jobs = jobs
        if jobs is not None and jobs < 1:
            raise InputError(
                f"dataset.jobs={jobs}: no process would work", remedy="leave dataset.jobs empty to use all cores"
            )

    @property
    def folder(self) -> Path:
        """Where this corpus lies: its name is a hash of the version and of all that changes the audio."""
        return self.root / name_folder(self.plan)

    def load(self) -> Manifest:
        """The manifest; the first call generates the audio, with a progress bar on stderr.

        Raises:
            InputError: the folder cannot be written, or an emotion asked for is not in the corpus.
        """
        frame = read_folder(fill_folder(self.root, self.plan, self.name, self.jobs))
        return Manifest(self.name, self.plan.complete(frame)).with_emotions(self.emotions)


class Planted(Generated):
    """Track A3: six emotions act through five known cues ("lens"), balanced by speaker, sentence and emotion.

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
        root: str | os.PathLike[str] = ROOT,
        speakers: int = 12,
        utterances_per_speaker: int = 60,
        seed: int = 0,
        strength: float = STRENGTH,
        emotions: Sequence[str] | None = None,
        jobs: int | None = None,
    ) -> None:
        check_counts(speakers, utterances_per_speaker, len(LENS_EMOTIONS), "the number of emotions")
        check_seed(seed)
        check_strength(strength)
        super().__init__(LensPlan(speakers, utterances_per_speaker, seed, float(strength)), name, root, emotions, jobs)


def check_counts(speakers: int, utterances: int, kinds: int, why: str, part: str = "") -> None:
    """Raise InputError unless someone speaks, and each kind of clip as often as another."""
    if speakers < 1:
        raise InputError(f"dataset.speakers={speakers}: no one would speak", expected="1 or more")
    if utterances < kinds or utterances % kinds:
        raise InputError(
            f"dataset.utterances_per_speaker{part}={utterances}: the emotions would not be balanced",
            expected=f"a multiple of {kinds}, {why}",
            remedy=f"try {max(kinds, round(utterances / kinds) * kinds)}",
        )


def check_seed(seed: int) -> None:
    """Raise InputError for a negative seed."""
    if seed < 0:
        raise InputError(f"dataset.seed={seed}: negative", expected="0 or more")


def check_strength(strength: float) -> None:
    """Raise InputError unless the strength of the lens is one that clips can be drawn for."""
    if not (math.isfinite(strength) and 0 <= strength <= 50):
        raise InputError(
            f"dataset.strength={strength}: out of range",
            expected="0 (cues carry no emotion) to 50",
            remedy=f"the default is {STRENGTH:g}",
        )
