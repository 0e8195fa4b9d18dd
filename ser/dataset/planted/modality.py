"""Track C of the planted corpora: what is said and how it is said tell the emotion, by a known rule."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ser.dataset.planted.corpus import ROOT, Generated, check_seed
from ser.dataset.planted.modality_plan import RULES, ModalityPlan
from ser.dataset.planted.tracks import GLOBAL_CUES, LOCAL_CUES, Sizes, check_cue, check_size, read_sizes
from ser.errors import InputError


class PlantedModality(Generated):
    """Track C: an emotion is told by a word of the transcript, by a cue of the voice, or by both.

    The word's two spellings sound alike, so that what it tells is in the transcript only. ``planted_text``,
    ``planted_audio`` and ``planted_both`` are what the modalities contribute (:meth:`Rule.find_truth`), ``words`` is
    when each word is said.

    Args:
        rule: what tells the emotion: ``text`` or ``speech`` (the other one varies as much and tells nothing),
            ``redundant`` (either is enough), ``unique`` (four emotions; each modality tells one half of what tells them
            apart) or ``xor`` (only both together tell anything).
        name: what predictions and reports call the corpus.
        root: folder for generated corpora; each set of parameters has its own subfolder.
        speakers: how many; half of them train, a quarter validates, a quarter is for the test.
        utterances_per_speaker: multiples of four, in ``redundant`` of eight: a number, or one for each of ``train``,
            ``validation``, ``test``.
        seed: of everything random.
        cue: of the voice.
        strength: its size in natural SDs.
        local: the cue is on one word, which is not the one that tells; otherwise it is all over the utterance.
        emotions: keep these only; what is generated does not depend on it.
        jobs: processes that generate; all cores by default.

    Raises:
        InputError: a parameter is out of range.
    """

    def __init__(
        self,
        rule: str = "text",
        name: str = "planted_c",
        root: str | os.PathLike[str] = ROOT,
        speakers: int = 24,
        utterances_per_speaker: Sizes = 64,
        seed: int = 0,
        cue: str = "loudness",
        strength: float = 4.0,
        local: bool = True,
        emotions: Sequence[str] | None = None,
        jobs: int | None = None,
    ) -> None:
        if rule not in RULES:
            raise InputError(f"dataset.rule={rule}", expected=", ".join(RULES))
        sizes = read_sizes(speakers, utterances_per_speaker, len(RULES[rule].states), "the states of word and voice")
        check_seed(seed)
        check_size("strength", strength, 8.0)
        check_cue("cue", cue, LOCAL_CUES if local else GLOBAL_CUES)
        plan = ModalityPlan(speakers, sizes, seed, rule, cue, float(strength), local)
        super().__init__(plan, name, root, emotions, jobs)
