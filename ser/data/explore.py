"""``ser data explore``: a page about a corpus: who says how much, and how the emotions sound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from ser.backbone.extract import extract_features
from ser.backbone.functionals import Functionals
from ser.data.drawings import MARKERS, draw_measure, draw_projections
from ser.data.pauses import PauseMeter
from ser.data.prosody import (
    MEASURES,
    OTHERS,
    explain_variance,
    list_effects,
    measure_clips,
    measure_effects,
    project,
    standardise_within,
)
from ser.data.read import ReadCorpus, read_usable
from ser.data.tables import count_genders, count_speakers, describe_seconds, describe_speakers
from ser.report.blocks import Cell, Facts, Figure, Items, Section, Table, Text, make_number, show_number
from ser.report.page import render

#: Speakers that the table shows.
MOST_SPEAKERS = 120


@dataclass(frozen=True)
class Exploration:
    """All that the page shows.

    Attributes:
        corpus: usable clips.
        clips: measures by clip (:func:`ser.data.prosody.measure_clips`).
        effects: effect sizes by measure and emotion.
        features: eGeMAPSv02 functionals [N, 88].
    """

    corpus: ReadCorpus
    clips: pd.DataFrame
    effects: pd.DataFrame
    features: np.ndarray


def explore_corpus(config: DictConfig, folder: Path, reference: str = OTHERS, draw: int = 2000) -> Path:
    """Write ``explore.html``, ``measures.csv`` and ``effects.csv``.

    Args:
        config: of ``ser train``: ``dataset``, ``audio``, ``on_bad_audio`` and ``paths`` count.
        folder: where to write.
        reference: what an emotion is compared with: ``others``, or an emotion.
        draw: most points in a scatter plot.

    Returns:
        The page.

    Raises:
        InputError: a corpus that is not there or cannot be used.
    """
    found = explore(config, reference)
    folder.mkdir(parents=True, exist_ok=True)
    found.clips.to_csv(folder / "measures.csv", index=False)
    found.effects.to_csv(folder / "effects.csv", index=False)
    page = folder / "explore.html"
    page.write_text(render_page(found, draw), encoding="utf-8")
    return page


def explore(config: DictConfig, reference: str = OTHERS) -> Exploration:
    """Measure every clip; features come from the store where they are there."""
    functionals, meter = Functionals(), PauseMeter()
    corpus = read_usable(config, functionals.rate)
    store = Path(config.paths.cache) / "features"
    frame, digests = corpus.manifest.frame, corpus.digests
    features = extract_features(functionals, frame, digests, corpus.preparation, store)
    pauses = extract_features(meter, frame, digests, corpus.preparation, store)
    clips = measure_clips(frame, features, functionals.names, pauses, corpus.samples / functionals.rate)
    return Exploration(corpus, clips, measure_effects(clips, reference), features)


def render_page(found: Exploration, draw: int) -> str:
    """The page as HTML."""
    manifest, info = found.corpus.manifest, found.corpus.info
    title = info.title if info else manifest.name
    sections = [build_head(found), build_counts(found), build_prosody(found), build_effects(found)]
    sections += [build_projection(found, draw), build_source(found)]
    return render(title, f"ser data explore · {manifest.name}", sections)


def build_head(found: Exploration) -> Section:
    """What there is, in a sentence, and what a reader must know of this copy."""
    frame, notes = found.corpus.manifest.frame, found.corpus.manifest.notes
    seconds = describe_seconds(float(found.clips["seconds"].sum()))
    emotions = found.corpus.manifest.emotions
    lead = f"{len(frame):,} clips by {describe_speakers(frame)}, {len(emotions)} emotions, {seconds}."
    blocks: list[object] = [Text(lead, "lead")]
    if notes:
        blocks.append(Items([(note, "") for note in notes]))
    return Section("corpus", "", blocks)


def build_counts(found: Exploration) -> Section:
    """Class by speaker and gender, with minutes."""
    clips = found.clips
    counts = count_speakers(clips)
    minutes = (clips.groupby("speaker")["seconds"].sum() / 60).to_dict()
    emotions = found.corpus.manifest.emotions
    rows = [
        [
            Cell(str(speaker), str(speaker)),
            Cell(str(row["gender"]), str(row["gender"])),
            *(make_count(row[emotion]) for emotion in emotions),
            make_count(row["all"]),
            make_number(minutes[str(speaker)], 1),
        ]
        for speaker, row in counts.head(MOST_SPEAKERS).iterrows()
    ]
    more = f" The first {MOST_SPEAKERS} of {len(counts)}." if len(counts) > MOST_SPEAKERS else ""
    by_speaker = Table(["speaker", "gender", *emotions, "all", "minutes"], rows, f"Clips by speaker and emotion.{more}")
    genders = count_genders(clips)
    rows = [
        [Cell(str(gender), str(gender)), make_count(row["speakers"]), *(make_count(row[e]) for e in [*emotions, "all"])]
        for gender, row in genders.iterrows()
    ]
    by_gender = Table(["gender", "speakers", *emotions, "all"], rows, "Clips by gender and emotion.")
    return Section("counts", "Who says how much", [by_gender, by_speaker])


def build_prosody(found: Exploration) -> Section:
    """One drawing a measure, and how the measures were obtained."""
    blocks: list[object] = [
        Text(
            "Left: every clip as it is. Middle: in standard deviations from the speaker's own mean, so that who speaks "
            "drops out. Right: effect sizes with 95 % intervals over speakers (hollow: too few speakers for one). "
            "Boxes span the quartiles, whiskers 1.5 interquartile ranges."
        )
    ]
    for measure in MEASURES:
        if found.clips[measure.column].notna().any():
            normalised = standardise_within(found.clips[measure.column].to_numpy(), found.clips["speaker"].tolist())
            effects = found.effects[found.effects["measure"] == measure.column]
            unvoiced = int(found.clips[measure.column].isna().sum())
            missing = f"; missing in {unvoiced} clips without a voiced part" if unvoiced else ""
            svg = draw_measure(found.clips, normalised, effects, measure)
            blocks.append(Figure(svg, f"{measure.title}: {measure.source}{missing}."))
    return Section("prosody", "How the emotions sound", blocks)


def build_effects(found: Exploration) -> Section:
    """Effect sizes as a table, and how they are computed."""
    titles = {measure.column: measure.title for measure in MEASURES}
    cells: dict[str, list[Cell]] = {}
    for column in titles:
        for emotion, d, low, high in list_effects(found.effects[found.effects["measure"] == column]):
            cells.setdefault(emotion, []).append(make_effect(d, low, high))
    speakers = found.clips.groupby("emotion")["speaker"].nunique()
    rows = [[Cell(emotion, emotion), *own, make_count(speakers[emotion])] for emotion, own in cells.items()]
    columns = ["emotion", *titles.values(), "speakers"]
    how = (
        f"{explain_effects(found)} d = (mean of the speaker's clips in the emotion − mean of the reference) / SD of "
        "the speaker pooled over emotions; mean over speakers and 95 % interval of Student's t over speakers (three at "
        "least). An asterisk: the interval excludes 0; not corrected for the number of comparisons."
    )
    return Section("effects", "Effect sizes", [Table(columns, rows, how)])


def build_projection(found: Exploration, draw: int) -> Section:
    """The features in two dimensions, before and after speaker normalisation."""
    emotions, speakers = found.clips["emotion"].tolist(), found.clips["speaker"].tolist()
    normalised = standardise_within(found.features, speakers)
    panels, facts = [], []
    chosen = np.arange(len(emotions))
    if len(chosen) > draw:
        chosen = np.sort(np.random.default_rng(0).choice(len(chosen), draw, replace=False))
    for title, features in (("as they are", found.features), ("standardised within speaker", normalised)):
        scores, shares = project(features)
        panels.append((title, scores[chosen], shares))
        by_emotion, by_speaker = explain_variance(scores, emotions), explain_variance(scores, speakers)
        facts.append((title, f"emotion {by_emotion:.0%}, speaker {by_speaker:.0%}"))
    drawn = f" {draw} of {len(emotions)} clips are drawn." if len(emotions) > draw else ""
    marks = "; the marker is the speaker" if len(set(speakers)) <= len(MARKERS) else ""
    svg = draw_projections(panels, [emotions[i] for i in chosen], [speakers[i] for i in chosen])
    caption = (
        "Principal components of the 88 standardised eGeMAPSv02 functionals, one point a clip; "
        f"the colour is the emotion{marks}.{drawn}"
    )
    lead = Text("Share of the variance in these two dimensions that lies between emotions, and between speakers:")
    return Section("features", "Features in two dimensions", [Figure(svg, caption), lead, Facts(facts)])


def build_source(found: Exploration) -> Section:
    """Licence, citation, and how this page was made."""
    info = found.corpus.info
    items = [("Root", str(found.corpus.root))] if found.corpus.root else []
    if info:
        items += [
            ("Licence", info.licence),
            ("Citation", info.citation),
            ("Publisher", info.url),
            ("Access", info.access),
        ]
    else:
        items += [("Licence", "none is recorded for this dataset")]
    items += [("Features", "openSMILE eGeMAPSv02 (Eyben et al., 2016), free for research and education")]
    return Section("source", "Licence and citation", [Facts(items)])


def explain_effects(found: Exploration) -> str:
    """What an effect size compares, in a sentence."""
    reference = found.effects["reference"].iloc[0] if len(found.effects) else OTHERS
    against = "the same speaker's other clips" if reference == OTHERS else f"the same speaker's {reference} clips"
    return f"How far the emotion lies from {against}, in that speaker's standard deviations."


def make_effect(d: float, low: float, high: float) -> Cell:
    """A cell with an effect and its interval, marked where the interval excludes 0."""
    interval = f" [{show_number(low, 2)}, {show_number(high, 2)}]" if math.isfinite(low) else ""
    mark = " *" if low > 0 or high < 0 else ""
    return Cell(f"{show_number(d, 2)}{interval}{mark}", d if math.isfinite(d) else None, style="number")


def make_count(number: int) -> Cell:
    """A cell with a whole number."""
    return Cell(f"{int(number):,}", int(number), style="number")
