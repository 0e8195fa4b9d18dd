"""Speakers named one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ser.dataset.manifest import Manifest
from ser.errors import InputError, LeakError
from ser.split.base import Splitter
from ser.split.fold import PART_NAMES, Split, make_fold, shorten, sort_names


@dataclass(kw_only=True)
class Fixed(Splitter):
    """Trains on some speakers and tests others; one fold.

    If only one of ``train_speakers`` and ``test_speakers`` is given, the speakers not named are the other part. If both
    are, the speakers not named are left out.

    Args:
        train_speakers: speakers that train.
        test_speakers: speakers that are tested.
        validation_speakers: speakers that validate; carved from the training speakers if not given.
    """

    train_speakers: Sequence[str | int] | None = None
    test_speakers: Sequence[str | int] | None = None
    validation_speakers: Sequence[str | int] | None = None

    def divide(self, manifest: Manifest) -> Split:
        """One fold, named ``fixed``.

        Raises:
            InputError: no list at all, or a speaker the manifest does not have.
            LeakError: a speaker in two lists.
        """
        there = manifest.speakers
        given = {
            "train": match_speakers(self.train_speakers, there, "split.train_speakers"),
            "validation": match_speakers(self.validation_speakers, there, "split.validation_speakers"),
            "test": match_speakers(self.test_speakers, there, "split.test_speakers"),
        }
        _refuse_repeats(given)
        rest = [speaker for speaker in there if not any(speaker in named for named in given.values())]
        if not given["train"] and not given["test"]:
            raise InputError(
                "split=fixed: no speakers are named",
                expected="split.test_speakers=[…], split.train_speakers=[…], or both",
                remedy=f"choose among {shorten(there, 40)}",
            )
        notes = []
        if not given["train"]:
            given["train"] = rest
        elif not given["test"]:
            given["test"] = rest
        elif rest:
            notes.append(f"{len(rest)} speakers are in no part and are left out: {shorten(sort_names(rest))}")
        rows = {part: np.flatnonzero(manifest.frame["speaker"].isin(names)) for part, names in given.items()}
        return Split([make_fold(0, "fixed", rows["train"], rows["test"], rows["validation"])], notes)


def match_speakers(wanted: str | int | Iterable[str | int] | None, there: Sequence[str], key: str) -> list[str]:
    """The manifest's ids of the speakers that a configuration names.

    Raises:
        InputError: an unknown speaker, with the ones there are; a number that could mean two speakers.
    """
    if wanted is None:
        return []
    names = [wanted] if isinstance(wanted, str | int) else list(wanted)
    return list(dict.fromkeys(_match_speaker(name, there, key) for name in names))


def _match_speaker(name: str | int, there: Sequence[str], key: str) -> str:
    text = str(name)
    if text in there:
        return text
    # YAML 1.1 drops leading zeros and reads 010 as the octal 8, so a number may have been written in several ways.
    fitting = [speaker for speaker in there if _could_mean(name, speaker)] if text.isdecimal() else []
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(
            f"{key}: {name!r} could mean speaker {' or '.join(fitting)}",
            expected="the speaker's id as text",
            remedy=f"quote it: \"{key}=['{fitting[0]}']\"",
        )
    raise InputError(
        f"{key}: there is no speaker {name!r}",
        expected="some of " + shorten(sort_names(there), 40),
        remedy="correct the list; quote ids with leading zeros in YAML: '03'",
    )


def _could_mean(name: str | int, speaker: str) -> bool:
    if not speaker.isdecimal():
        return False
    octal = isinstance(name, int) and speaker.startswith("0") and not set(speaker) & set("89")
    return int(speaker) == int(name) or (octal and int(speaker, 8) == int(name))


def _refuse_repeats(given: dict[str, list[str]]) -> None:
    for first, second in (("train", "test"), ("validation", "test"), ("train", "validation")):
        both = sort_names(speaker for speaker in given[first] if speaker in given[second])
        if both:
            raise LeakError(
                f"split=fixed: named for both {PART_NAMES[first]} and {PART_NAMES[second]}: {shorten(both)}",
                expected="each speaker in one list, since all clips of a speaker go to one part",
                remedy="take them out of one list; to divide the clips of a speaker use split=file and "
                "split.allow_overlap=true, or split=logo split.group=sentence split.allow_overlap=true",
            )
