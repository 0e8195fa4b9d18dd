"""Attributions of a run to acoustic cues: what the cue linker is given of it, and the files of what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser.corpus import Corpus
from ser.cue.heard import CueLinker, Heard, Linked, Recording
from ser.cue.link import FEWEST, NEUTRAL
from ser.explainer.attribution import Attribution
from ser.explainer.clip import Clip
from ser.results import write_json

#: Files of what is found, in an explanation's directory.
CUES, CONTRASTS, PLAUSIBILITY, SENTENCES, NOTES = (
    "cues.parquet",
    "contrasts.csv",
    "plausibility.csv",
    "sentences.csv",
    "cue_notes.json",
)
#: Metrics of plausibility by the columns that they come from.
COLUMNS = {"plausibility": "agreement", "plausibility_z": "z_shift"}


def link_cues(
    linker: CueLinker, corpus: Corpus, rate: int, clips: Sequence[Clip], attributions: Sequence[Attribution]
) -> Linked:
    """Cues at the places that valid attributions point at, against neutral speech of the same speakers.

    Args:
        linker: the choice of ``conf/cue_link``.
        corpus: of the run; all its clips of these speakers may serve as references.
        rate: at which the clips were heard, in Hz.
        clips: explained.
        attributions: of the clips, in their order.
    """
    heard = [
        make_heard(clip, one, rate, name_speaker(clip.dataset, clip.speaker), clip.true)
        for clip, one in zip(clips, attributions, strict=True)
        if one.valid
    ]
    if not heard:
        return Linked(notes=("no explanation is valid, so there is nothing to link to cues",))
    return linker.link(heard, list(read_references(corpus, rate, {one.speaker for one in heard})))


def make_heard(clip: Clip, one: Attribution, rate: int, speaker: str, emotion: str) -> Heard:
    """A clip with its map, as the cue linker measures it; ``rate`` in Hz."""
    return Heard(
        clip=clip.clip,
        speaker=speaker,
        emotion=emotion,
        waveform=clip.waveform,
        rate=rate,
        predicted=clip.predicted,
        offset=clip.offset,
        relevance=one.over_time().astype(float),
        times=one.times,
        step=one.step,
    )


def read_references(corpus: Corpus, rate: int, speakers: set[str]) -> Iterator[Recording]:
    """Neutral clips of speakers, or all clips of those who have few, prepared as the model heard clips."""
    frame = corpus.manifest.frame
    names = [name_speaker(*pair) for pair in zip(frame["dataset"], frame["speaker"], strict=True)]
    for speaker, rows in frame.assign(_speaker=names).groupby("_speaker"):
        if speaker not in speakers:
            continue
        neutral = rows[rows["emotion"] == NEUTRAL]
        for row in (neutral if len(neutral) >= FEWEST else rows).to_dict("records"):
            edges = (None if pd.isna(row.get(edge)) else float(row[edge]) for edge in ("start", "end"))
            waveform = corpus.preparation.read(row["path"], rate, *edges)
            yield Recording(row["clip"], str(speaker), row["emotion"], waveform, rate)


def name_speaker(dataset: str, speaker: str) -> str:
    """A name that no speaker of another corpus has."""
    return f"{dataset}/{speaker}"


def write_cues(linked: Linked, folder: Path) -> dict[str, float]:
    """Write what was found into a folder; returns the metrics."""
    if len(linked.cues):
        linked.cues.to_parquet(folder / CUES, index=False)
    for name, table in ((CONTRASTS, linked.contrasts), (PLAUSIBILITY, linked.plausibility)):
        if len(table):
            table.to_csv(folder / name, index=False)
    linked.sentences.to_csv(folder / SENTENCES, index=False)
    write_json(folder / NOTES, list(linked.notes))
    return read_plausibility(linked.plausibility)


def read_plausibility(table: pd.DataFrame) -> dict[str, float]:
    """Agreement of all clips' contrasts with the expert table, and how far that is from chance by circular shifts."""
    if not {"kind", "subset", "emotion", "agreement"} <= set(table.columns):
        return {}
    rows: Sequence[Mapping[Any, Any]] = table[
        (table["kind"] == "neutral") & (table["subset"] == "all") & (table["emotion"].fillna("") == "")
    ].to_dict("records")
    found = {name: rows[0].get(column) for name, column in COLUMNS.items()} if rows else {}
    return {name: float(value) for name, value in found.items() if value is not None and value == value}
