"""The planted corpora beside the lens: dose ladders (A0), one cue (A1, A2), and the lens with a shortcut (A4)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from ser.dataset.manifest import PARTS
from ser.dataset.planted.corpus import ROOT, Generated, check_counts, check_seed, check_strength
from ser.dataset.planted.cues import CUES
from ser.dataset.planted.ladder_plan import LadderPlan
from ser.dataset.planted.lens import LENS_EMOTIONS, STRENGTH
from ser.dataset.planted.lens_plan import SHORTCUTS, LensPlan, ShortcutPlan
from ser.dataset.planted.single_plan import KINDS, GlobalPlan, LocalPlan
from ser.errors import InputError

GLOBAL_CUES = tuple(cue.name for cue in CUES)
LOCAL_CUES = tuple(cue.name for cue in CUES if cue.local)
#: Clips of a speaker: a number, or one for each part of the split.
Sizes = int | Mapping[str, int]


class PlantedLadder(Generated):
    """Track A0: the same utterances with every cue at rising doses, to calibrate meters of cues; without emotions.

    Args:
        name: what tables call the corpus.
        root: folder for generated corpora; each set of parameters has its own subfolder.
        speakers: how many; women and men alternate.
        utterances_per_speaker: each is spoken ``steps`` times for every cue.
        steps: doses of a cue, from the lowest to the highest.
        cues: which ones; all by default.
        seed: of everything random.
        emotions: there are none to keep.
        jobs: processes that generate; all cores by default.

    Raises:
        InputError: a parameter is out of range.
    """

    def __init__(
        self,
        name: str = "planted_a0",
        root: str | os.PathLike[str] = ROOT,
        speakers: int = 4,
        utterances_per_speaker: int = 2,
        steps: int = 5,
        cues: Sequence[str] | None = None,
        seed: int = 0,
        emotions: Sequence[str] | None = None,
        jobs: int | None = None,
    ) -> None:
        check_counts(speakers, utterances_per_speaker, 1, "at least one")
        check_seed(seed)
        if steps < 2:
            raise InputError(f"dataset.steps={steps}: no ladder", expected="2 or more")
        for cue in cues or ():
            check_cue("cues", cue, GLOBAL_CUES)
        plan = LadderPlan(speakers, utterances_per_speaker, steps, seed, tuple(cues or GLOBAL_CUES))
        super().__init__(plan, name, root, emotions, jobs)


class PlantedGlobal(Generated):
    """Track A1: one cue over the whole utterance tells an emotion from neutral; a decoy of the same size does not.

    Args:
        name: what predictions and reports call the corpus.
        root: folder for generated corpora; each set of parameters has its own subfolder.
        speakers: how many; half of them train, a quarter validates, a quarter is for the test.
        utterances_per_speaker: multiples of four: a number, or one for each of ``train``, ``validation``, ``test``.
        seed: of everything random.
        cue: any of the twelve.
        decoy: another one; by default loudness, or F0 level where the cue is loudness.
        d_prime: distance of the classes in natural SDs of the cue; the ideal observer is right with Phi(d'/2).
        emotions: keep these only; what is generated does not depend on it.
        jobs: processes that generate; all cores by default.

    Raises:
        InputError: a parameter is out of range.
    """

    def __init__(
        self,
        name: str = "planted_a1",
        root: str | os.PathLike[str] = ROOT,
        speakers: int = 24,
        utterances_per_speaker: Sizes = 60,
        seed: int = 0,
        cue: str = "loudness",
        decoy: str | None = None,
        d_prime: float = 4.0,
        emotions: Sequence[str] | None = None,
        jobs: int | None = None,
    ) -> None:
        sizes = read_sizes(speakers, utterances_per_speaker, KINDS, "with and without cue and decoy")
        check_seed(seed)
        check_size("d_prime", d_prime, 8.0)
        chosen = choose_decoy(cue, decoy, GLOBAL_CUES)
        plan = GlobalPlan(speakers, sizes, seed, cue, chosen, float(d_prime))
        super().__init__(plan, name, root, emotions, jobs)


class PlantedLocal(Generated):
    """Track A2: a cue on some syllables tells an emotion from neutral; a decoy on other syllables does not.

    The clips with the cue have each a twin without it and with all else alike (``matched_pair_id``); the decoy is in
    half of either, whatever the class. ``span_start`` to ``decoy_end`` say where they are, in s.

    Args:
        name: what predictions and reports call the corpus.
        root: folder for generated corpora; each set of parameters has its own subfolder.
        speakers: how many; half of them train, a quarter validates, a quarter is for the test.
        utterances_per_speaker: multiples of four: a number, or one for each of ``train``, ``validation``, ``test``.
        seed: of everything random.
        cue: any that can be local.
        decoy: another one; by default loudness, or F0 level where the cue is loudness.
        strength: of cue and decoy, in natural SDs; at 4 loudness rises by 8 dB, F0 by 6 semitones, breath by 24 dB.
        span: syllables of the cue, and of the decoy: 1 or 2 of the 6 to 14.
        emotions: keep these only; what is generated does not depend on it.
        jobs: processes that generate; all cores by default.

    Raises:
        InputError: a parameter is out of range.
    """

    def __init__(
        self,
        name: str = "planted_a2",
        root: str | os.PathLike[str] = ROOT,
        speakers: int = 24,
        utterances_per_speaker: Sizes = 60,
        seed: int = 0,
        cue: str = "loudness",
        decoy: str | None = None,
        strength: float = 4.0,
        span: int = 2,
        emotions: Sequence[str] | None = None,
        jobs: int | None = None,
    ) -> None:
        sizes = read_sizes(speakers, utterances_per_speaker, KINDS, "with and without cue and decoy")
        check_seed(seed)
        check_size("strength", strength, 8.0)
        if span not in (1, 2):
            raise InputError(
                f"dataset.span={span}", expected="1 or 2 syllables, so that cue and decoy fit into every sentence"
            )
        chosen = choose_decoy(cue, decoy, LOCAL_CUES)
        plan = LocalPlan(speakers, sizes, seed, cue, chosen, float(strength), span)
        super().__init__(plan, name, root, emotions, jobs)


class PlantedShortcut(Generated):
    """Track A4: the lens of track A3, and a nuisance that goes with the emotion in training but not in the test part.

    Args:
        name: what predictions and reports call the corpus.
        root: folder for generated corpora; each set of parameters has its own subfolder.
        speakers: how many; half of them train, a quarter validates, a quarter is for the test.
        utterances_per_speaker: multiples of six: a number, or one for each of ``train``, ``validation``, ``test``.
        seed: of everything random.
        strength: how clearly the cues express the emotions, as in track A3.
        shortcut: ``noise`` (its level), ``channel`` (its bandwidth) or ``speaker`` (each shows one emotion more often).
        rho: share of the training and validation clips in which it tells the emotion; 0 in the test part.
        emotions: keep these only; what is generated does not depend on it.
        jobs: processes that generate; all cores by default.

    Raises:
        InputError: a parameter is out of range.
    """

    def __init__(
        self,
        name: str = "planted_a4",
        root: str | os.PathLike[str] = ROOT,
        speakers: int = 24,
        utterances_per_speaker: Sizes = 60,
        seed: int = 0,
        strength: float = STRENGTH,
        shortcut: str = "noise",
        rho: float = 0.9,
        emotions: Sequence[str] | None = None,
        jobs: int | None = None,
    ) -> None:
        sizes = read_sizes(speakers, utterances_per_speaker, len(LENS_EMOTIONS), "the number of emotions")
        check_seed(seed)
        check_strength(strength)
        if shortcut not in SHORTCUTS:
            raise InputError(f"dataset.shortcut={shortcut}", expected=", ".join(SHORTCUTS))
        if not 0 <= rho <= 1:
            raise InputError(f"dataset.rho={rho}", expected="0 (no shortcut) to 1 (it always tells the emotion)")
        lens = LensPlan(speakers, 0, seed, float(strength))
        super().__init__(ShortcutPlan(lens, sizes, shortcut, float(rho)), name, root, emotions, jobs)


def read_sizes(speakers: int, value: Sizes, kinds: int, why: str) -> tuple[int, int, int]:
    """Clips of each speaker in training, validation and test.

    Raises:
        InputError: no such parts, or numbers in which the kinds of clips are not equally often.
    """
    if not isinstance(value, Mapping):
        check_counts(speakers, value, kinds, why)
        return value, value, value
    if set(value) != set(PARTS):
        raise InputError(
            f"dataset.utterances_per_speaker has {', '.join(map(str, value)) or 'no part'}",
            expected=f"a number, or one for each of {', '.join(PARTS)}",
        )
    for part in PARTS:
        check_counts(speakers, value[part], kinds, why, f".{part}")
    return value["train"], value["validation"], value["test"]


def choose_decoy(cue: str, decoy: str | None, known: Sequence[str]) -> str:
    """The decoy of a cue.

    Raises:
        InputError: a cue or decoy that does not exist here, or the same for both.
    """
    check_cue("cue", cue, known)
    if decoy is None:
        return "f0_level" if cue == "loudness" else "loudness"
    check_cue("decoy", decoy, known)
    if decoy == cue:
        raise InputError(f"dataset.decoy={decoy}: the cue itself cannot mislead", expected="another cue")
    return decoy


def check_cue(key: str, cue: str, known: Sequence[str]) -> None:
    """Raise InputError unless a cue is one of those known."""
    if cue not in known:
        near = get_close_matches(str(cue), known, n=1)
        raise InputError(
            f"dataset.{key}={cue}: no such cue here",
            expected="one of " + ", ".join(known),
            remedy=f"did you mean {near[0]!r}?" if near else "choose among these",
        )


def check_size(key: str, size: float, most: float) -> None:
    """Raise InputError for a size in natural SDs that is none."""
    if not (math.isfinite(size) and 0 <= size <= most):
        raise InputError(f"dataset.{key}={size}: out of range", expected=f"0 (classes alike) to {most:g} natural SDs")
