"""What besides the voice gives the emotion away in a corpus: sentences, sessions, files, durations, speakers.

Association is measured by Cramér's V with Bergsma's bias correction (J. Korean Stat. Soc. 42, 2013), so that many rare
levels do not look associated by chance, and by mutual information relative to the entropy of the emotion. What it would
be worth to a cheat is the UAR of guessing the emotion from the column alone, by what *other speakers* do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ser.data.findings import PADDED, Finding, name_some
from ser.report.blocks import count_things, show_range

#: Cramér's V from which on an association is a risk, and from which on a strong one.
RISK, STRONG = 0.3, 0.6
#: A level with fewer clips says nothing about classes.
FEW = 3
#: With fewer speakers than this, results do not carry over.
FEW_SPEAKERS = 4
#: Share of clips in sentences of one class only, from which on that is a risk.
OWN_SENTENCES = 0.05
#: Standard deviation over mean of a class's durations, below which they are near constant.
CONSTANT = 0.02

COLUMNS = {
    "sentence": "sentence",
    "session": "session",
    "gender": "gender of the speaker",
    "rate": "sampling rate",
    "channels": "number of channels",
    "container": "file format",
    "coding": "sample format",
    "padded": "presence of digital zeros at the ends",
    "speaker": "speaker",
}


def measure_associations(clips: pd.DataFrame) -> pd.DataFrame:
    """How much each column tells of the emotion.

    Returns:
        One row a column with two levels or more: ``column``, ``levels``, ``v``, ``information`` (share of the
        emotion's entropy), ``guess`` (UAR of guessing, see above; NaN for speaker) and ``chance``.
    """
    clips = clips.assign(padded=clips["zeros"] >= PADDED)
    rows = []
    for column in COLUMNS:
        known = clips[clips[column].notna()] if column in clips else clips.head(0)
        if known[column].nunique() < 2 if column in known else True:
            continue
        counts = pd.crosstab(known[column], known["emotion"])
        if counts.shape[1] < 2:
            continue
        guess = math.nan if column == "speaker" else guess_emotion(known, column)
        rows.append((column, len(counts), measure_v(counts), measure_information(counts), guess, 1 / counts.shape[1]))
    return pd.DataFrame(rows, columns=["column", "levels", "v", "information", "guess", "chance"])


def measure_v(counts: pd.DataFrame) -> float:
    """Bias-corrected Cramér's V of a table of counts."""
    observed = counts.to_numpy(dtype=float)
    total = observed.sum()
    expected = observed.sum(axis=1, keepdims=True) * observed.sum(axis=0, keepdims=True) / total
    rows, columns = observed.shape
    square = ((observed - expected) ** 2 / expected).sum() / total
    square = max(0.0, square - (rows - 1) * (columns - 1) / (total - 1))
    least = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    return float(min(1.0, math.sqrt(square / least))) if least > 1e-12 else 0.0


def measure_information(counts: pd.DataFrame) -> float:
    """Mutual information of rows and columns as a share of the columns' entropy; not corrected for chance."""
    joint = counts.to_numpy(dtype=float) / counts.to_numpy().sum()
    emotion = joint.sum(axis=0)
    product = joint.sum(axis=1, keepdims=True) * emotion
    present = joint > 0
    shared = (joint[present] * np.log(joint[present] / product[present])).sum()
    entropy = -(emotion[emotion > 0] * np.log(emotion[emotion > 0])).sum()
    return float(max(0.0, shared / entropy))


def guess_emotion(clips: pd.DataFrame, column: str) -> float:
    """UAR of guessing each clip's emotion from a column alone, as other speakers' clips with that level suggest.

    The guess is the emotion that is most over-represented at the level; ties count by their share, and a level that no
    other speaker has is a tie of all emotions.
    """
    counts = pd.crosstab([clips["speaker"], clips[column].astype(str)], clips["emotion"])
    levels = counts.index.get_level_values(1)
    total = counts.groupby(level=1).sum()
    others = total.loc[levels].to_numpy() - counts.to_numpy()
    sizes = total.sum().to_numpy() - counts.groupby(level=0).sum().loc[counts.index.get_level_values(0)].to_numpy()
    score = np.divide(others, sizes, out=np.zeros(others.shape), where=sizes > 0)
    best = np.isclose(score, score.max(axis=1, keepdims=True))
    right = best / best.sum(axis=1, keepdims=True) * counts.to_numpy()
    return float(np.mean(right.sum(axis=0) / counts.sum().to_numpy()))


def find_leaks(clips: pd.DataFrame, associations: pd.DataFrame) -> list[Finding]:
    """The risks, in words; ``clips`` are the usable ones."""
    return [
        *explain_associations(associations),
        *find_own_sentences(clips),
        *find_lone_speakers(clips),
        *find_constant_durations(clips),
        *find_shared_speakers(clips),
    ]


def explain_associations(associations: pd.DataFrame) -> Iterator[Finding]:
    """One risk for every column that tells the emotion."""
    names = associations["column"].tolist()
    numbers = associations[["v", "information", "guess", "chance"]].to_numpy(dtype=float).tolist()
    for column, (v, information, guess, chance) in zip(names, numbers, strict=True):
        if v < RISK:
            continue
        worth = (
            "so leave whole speakers out, and compare within speakers"
            if math.isnan(guess)
            else f"guessing from it alone gets UAR {guess:.2f} across speakers (chance {chance:.2f})"
        )
        text = (
            f"the {COLUMNS[column]} {'nearly determines' if v >= STRONG else 'tells of'} the emotion "
            f"(Cramér's V {v:.2f}, {information:.0%} of the emotion's entropy): {worth}"
        )
        yield Finding(f"{column} × emotion", "risk", text)


def find_own_sentences(clips: pd.DataFrame) -> Iterator[Finding]:
    """Emotions said in one sentence only, and sentences said in one emotion only."""
    known = clips[clips["sentence"].notna()]
    if known["sentence"].nunique() < 2 or known["emotion"].nunique() < 2:
        return
    counts = pd.crosstab(known["sentence"], known["emotion"])
    single = [str(e) for e in counts if (counts[e] > 0).sum() == 1 and counts[e].sum() >= FEW]
    if single:
        text = f"one sentence only in {', '.join(single)}: a model can tell by the words"
        yield Finding("one sentence per class", "risk", text, tuple(known.loc[known["emotion"].isin(single), "clip"]))
    heard = counts[counts.sum(axis=1) >= FEW]
    own = heard.index[(heard > 0).sum(axis=1) == 1]
    inside = known["sentence"].isin(own)
    if inside.mean() >= OWN_SENTENCES:
        text = (
            f"{count_things(len(own), 'sentence')} said in one emotion only ({inside.mean():.0%} of the clips), e.g. "
            f"{name_some(list(own), 4)}: a model can tell by the words"
        )
        yield Finding("class-specific sentences", "risk", text, tuple(known.loc[inside, "clip"]))


def find_lone_speakers(clips: pd.DataFrame) -> Iterator[Finding]:
    """Speakers heard in one emotion only, and emotions that few speakers show."""
    counts = pd.crosstab(clips["speaker"], clips["emotion"])
    if counts.shape[1] < 2:
        return
    if len(counts) < FEW_SPEAKERS:
        text = f"{count_things(len(counts), 'speaker')} only: results say little about others"
        yield Finding("few speakers", "note", text)
    lone = counts.index[(counts > 0).sum(axis=1) == 1]
    if len(lone):
        text = (
            f"{count_things(len(lone), 'speaker')} of {len(counts)} with one emotion only: {name_some(list(lone))}; "
            "who they are tells what they feel"
        )
        yield Finding("speakers with one class", "risk", text, tuple(clips.loc[clips["speaker"].isin(lone), "clip"]))
    showing = (counts > 0).sum()
    rare = showing[showing < len(counts) / 2]
    if len(rare):
        text = "shown by fewer than half of the speakers: " + ", ".join(
            f"{e} {n} of {len(counts)}" for e, n in rare.items()
        )
        yield Finding(
            "rare emotions", "risk", f"{text}; a test speaker may lack them (min_speaker_share=0.5 leaves out)"
        )


def find_constant_durations(clips: pd.DataFrame) -> Iterator[Finding]:
    """Emotions whose clips are all equally long: somebody cut or padded them."""
    by = clips.groupby("emotion")["seconds"]
    spread, number = by.std() / by.mean(), by.size()
    flat = sorted(spread.index[(spread < CONSTANT) & (number >= FEW)])
    if not flat:
        return
    if len(flat) == len(spread):
        seconds = show_range(clips["seconds"].min(), clips["seconds"].max())
        text = f"every clip lasts {seconds} s: cut or padded, so duration and rate of speech tell little"
        yield Finding("constant duration", "warning", text)
    else:
        text = f"all clips of {', '.join(flat)} are equally long (others are not): duration alone tells the emotion"
        yield Finding("constant duration", "risk", text, tuple(clips.loc[clips["emotion"].isin(flat), "clip"]))


def find_shared_speakers(clips: pd.DataFrame) -> Iterator[Finding]:
    """Speakers in more than one part of the published split."""
    parts = clips[clips["split"].notna()].groupby("speaker")["split"].nunique()
    shared = list(parts.index[parts > 1])
    if shared:
        text = (
            f"{count_things(len(shared), 'speaker')} in more than one part of the published split: {name_some(shared)}"
        )
        yield Finding("published split", "risk", text, tuple(clips.loc[clips["speaker"].isin(shared), "clip"]))
