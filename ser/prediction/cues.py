"""What the voice does where a model looked: cues of the most relevant region, beside the rest of the same clip.

Nothing is known of who speaks, so there is no neutral speech of theirs to compare with, as ``ser explain`` does: a
region is compared with itself moved around its clip (circular shifts, :mod:`ser.cue.contrast`), each clip by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ser.audio.duration import Chunk
from ser.cue.contrast import contrast_clips, measure_clip
from ser.cue.heard import Heard
from ser.cue.link import CueLink
from ser.cue.sentences import CUE_OF, name_change
from ser.errors import InputError
from ser.explainer.attribute import explain_clips
from ser.explainer.clip import Clip
from ser.explainer.cues import make_heard
from ser.explainer.subject import Subject, make_subject
from ser.prediction.hear import hear
from ser.prediction.places import Place
from ser.prediction.predictor import Predictor

if TYPE_CHECKING:
    from ser.explainer.base import Explainer

#: Columns of the table of contrasts after those that name the place.
COLUMNS = ["cue", "value", "share", "rest", "shift", "p_shift", "q_shift"]
#: Cues that are told in words.
TOLD = 3
#: Share of a margin that a map may miss; the default of ``explain.gate``.
GATE = 0.05
#: Clips of equal length that are explained at once.
AT_ONCE = 16


def check_cues(predictors: Sequence[Predictor], linker: Any) -> None:
    """Raise InputError where there is no one model to explain, or it does not hear whole clips."""
    if len(predictors) > 1 or len(predictors[0].models) > 1:
        count = sum(len(each.models) for each in predictors)
        raise InputError(
            f"explain=true: {count} models decide together, and an explanation is of one",
            remedy="pass run=<one run> and fold=<one of its folds>",
        )
    if not predictors[0].emotions:
        raise InputError("explain=true: the model predicts numbers, and explanations are of emotions")
    if predictors[0].reads != "sound":
        raise InputError(f"explain=true: the model reads {predictors[0].reads}, and cues are of sound alone")
    if isinstance(predictors[0].models[0].preparation.duration, Chunk):
        raise InputError(
            "explain=true: the model decides by a mean over windows of a clip",
            remedy="explain a run without audio/duration=chunk",
        )
    if not isinstance(linker, CueLink):
        raise InputError("explain=true: regions of relevance are what is measured", remedy="pass cue_link=regions")


def explain_places(
    predictor: Predictor, explainer: Explainer, linker: CueLink, places: Sequence[Place], predicted: Sequence[str]
) -> tuple[list[str], pd.DataFrame]:
    """The cues of places, in words and in numbers.

    Args:
        predictor: of one model.
        explainer: says where the model looked.
        linker: how the region is chosen and measured; its headline counts.
        places: recordings or windows of them.
        predicted: emotion of each.

    Returns:
        For each place the cues in which its region differs most, or why there is no map; and a row a place and cue:
        ``value`` in the unit of the cue, ``share`` of the clip that the region takes, ``rest`` and ``shift`` in SDs
        (against the rest of the clip, and the region moved around), ``p_shift`` (share of the moved regions that lie as
        far out) and ``q_shift`` (adjusted for all cues of the clip).

    Raises:
        InputError: an explainer that cannot explain such a model.
    """
    subject = make_subject(predictor.models[0])
    explainer.check(subject)
    clips = [hear_place(subject, predictor, *pair) for pair in zip(places, predicted, strict=True)]
    found = explain_clips(subject, explainer, clips, "explain", GATE, AT_ONCE)
    words, tables = [], []
    for place, clip, one in zip(places, clips, found, strict=True):
        table = contrast(linker, make_heard(clip, one, subject.rate, "", clip.predicted)) if one.valid else None
        if table is None:
            words.append(f"no explanation: {'; '.join(one.reasons) or 'no positive relevance'}")
            continue
        words.append(tell(linker, table))
        tables.append(
            table[COLUMNS].assign(file=place.file, start=place.start, end=place.end, predicted=clip.predicted)
        )
    columns = ["file", "start", "end", "predicted", *COLUMNS]
    return words, pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def hear_place(subject: Subject, predictor: Predictor, place: Place, predicted: str) -> Clip:
    """A place as explainers get clips."""
    import torch

    (heard,) = hear(place, predictor.models[0].preparation, subject.rate)
    return Clip(
        clip=place.shown,
        dataset="",
        speaker="",
        true=predicted,
        predicted=predicted,
        inputs=subject.encode(torch.from_numpy(heard.waveform)[None]),
        classes=torch.tensor([subject.emotions.index(predicted)], device=subject.device),
        waveform=heard.waveform,
        offset=heard.offset,
        row={},
    )


def contrast(linker: CueLink, heard: Heard) -> pd.DataFrame | None:
    """A row a cue of the headline's region; ``None`` where no relevance is positive."""
    rng = np.random.default_rng(linker.seed)
    tracks = linker.meter.measure(heard.waveform, heard.rate)
    measured = measure_clip(heard, tracks, [], [linker.headline], linker.shifts, rng)
    return None if measured is None else contrast_clips([heard], [measured], [linker.headline], rng).frame


def tell(linker: CueLink, table: pd.DataFrame) -> str:
    """The :data:`TOLD` cues in which a region differs most from itself moved around, of those measured reliably.

    A clip of 2 s has some 200 places for its region: too few for any of 19 cues to pass a test that counts them all. So
    sizes are told, each with its own p, rather than findings.
    """
    reliable = [cue for cue in table["cue"] if (linker.meter.reliability.get(cue) or 0) > 0]
    own = table[table["cue"].isin(reliable) & table["shift"].notna()]
    own = own.assign(size=own["shift"].abs(), stands_for=[CUE_OF[cue].expected for cue in own["cue"]])
    own = own.sort_values("size", ascending=False).drop_duplicates("stands_for").head(TOLD)
    return ", ".join(
        f"{name_change(cue, size)[:-1]}, p {p:.2f})"
        for cue, size, p in zip(own["cue"], own["shift"], own["p_shift"], strict=True)
    )
