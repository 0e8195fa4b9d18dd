"""The page of explanations: clips of one run, heard and seen with every method that explained them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser.audio.prepare import Preparation
from ser.cue.cues import CUES as CUE_LIST
from ser.cue.expect import DEFAULT, ExpertTable, read_table
from ser.cue.region import find_region
from ser.cue.sentences import name_change
from ser.errors import InputError
from ser.explainer.attribution import Attribution, load_attributions
from ser.explainer.cues import CUES, NOTES, SENTENCES
from ser.explainer.evaluation.figures import FAITHFULNESS
from ser.explainer.evaluation.metrics import HEADLINES
from ser.explainer.summary import PLANTED_TABLE
from ser.explainer.viewer import CueLine, ViewerClip, write_viewer
from ser.results import read_json

RECORDS, MAPS, CLIPS, METRICS = "explanation.json", "attributions.npz", "clips.parquet", "metrics.json"
PAGE = "explanation.html"
#: Share of the positive relevance that the regions shown hold.
QUANTILE = 0.5
#: Rate in Hz at which clips are shown and played.
RATE = 16000


@dataclass(frozen=True, eq=False)
class Explained:
    """A folder of ``ser explain``.

    Attributes:
        method: the explainer.
        attributions: by clip.
        clips: predictions with places in files.
        cues: contrasts by clip and cue; empty without a cue linker.
        sentences: about clips and emotions.
        notes: of the cue linker.
    """

    method: str
    attributions: Mapping[str, Attribution]
    clips: pd.DataFrame
    cues: pd.DataFrame
    sentences: pd.DataFrame
    notes: Sequence[str]

    @classmethod
    def read(cls, folder: Path) -> Explained | None:
        """A folder's content; ``None`` for explanations that have no time axis."""
        records = read_json(folder / RECORDS)
        if not records:
            return None
        found = load_attributions(records, folder / MAPS)
        cues = pd.read_parquet(folder / CUES) if (folder / CUES).is_file() else pd.DataFrame()
        texts = pd.read_csv(folder / SENTENCES) if (folder / SENTENCES).is_file() else pd.DataFrame(columns=["scope"])
        clips = pd.read_parquet(folder / CLIPS)
        by_clip = {one.clip: one for one in found}
        return cls(found[0].method, by_clip, clips, cues, texts, read_json(folder / NOTES) or [])


def write_page(path: Path, title: str, folders: Sequence[Path], scores: pd.DataFrame) -> Path | None:
    """Write the page of the explanations in some folders, all of one run.

    The most faithful explainer comes first; cues and sentences are those of the first that has some.

    Args:
        path: of the page.
        title: on it.
        folders: of ``ser explain``.
        scores: of the explanations, a row a clip, method and metric; empty where there are none.

    Returns:
        The path, or ``None`` where no explanation has a time axis.
    """
    explained = sort_by_faithfulness([one for one in map(Explained.read, folders) if one is not None], scores)
    if not explained:
        return None
    leading = next((one for one in explained if len(one.cues)), explained[0])
    rows = pd.concat([one.clips for one in explained]).drop_duplicates(["dataset", "clip"])
    shown = [show_clip(row, explained, leading, scores) for row in rows.to_dict("records")]
    notes = [f"cues are those of the places that {leading.method} points at"] if len(leading.cues) else []
    texts = leading.sentences
    notes += texts.loc[texts["scope"] == "emotion", "text"].tolist() if len(texts) else []
    table = path.with_name(PLANTED_TABLE)
    planted = pd.read_csv(table) if table.is_file() else pd.DataFrame()
    gate = tell_gate(read_json(folders[0] / METRICS)) if len(planted) else []
    return write_viewer(path, title, shown, [*notes, *gate, *leading.notes], planted)


def tell_gate(metrics: Mapping[str, Any]) -> list[str]:
    """Whether the model may be held against the planted truth of its data, in words."""
    if "gate/accuracy" not in metrics:
        return []
    passed = "passed" if metrics["gate/passed"] else "failed, so where relevance should lie is not known for this model"
    numbers = f"accuracy {metrics['gate/accuracy']:.2f}, the ideal observer's {metrics['gate/ideal']:.2f}"
    return [f"Gate of the planted truth: {numbers}: {passed}."]


def sort_by_faithfulness(explained: Sequence[Explained], scores: pd.DataFrame) -> list[Explained]:
    """The most faithful explainer first; as they are where that is not known."""
    if not len(scores):
        return list(explained)
    means = scores[scores["metric"] == FAITHFULNESS].groupby("method")["value"].mean()
    return sorted(explained, key=lambda one: -float(means.get(one.method, -np.inf)))


def show_clip(
    row: Mapping[Any, Any], explained: Sequence[Explained], leading: Explained, scores: pd.DataFrame
) -> ViewerClip:
    """One clip with all that is known of it."""
    clip = str(row["clip"])
    edges = [None if pd.isna(row.get(edge)) else float(row[edge]) for edge in ("start", "end")]
    heard = Preparation().prepare(row["path"], RATE, *edges)
    found = {one.method: one.attributions[clip] for one in explained if clip in one.attributions}
    own = scores[(scores["clip"] == clip)] if len(scores) else scores
    return ViewerClip(
        clip=clip,
        dataset=str(row["dataset"]),
        speaker=str(row["speaker"]),
        true=str(row["true"]),
        predicted=str(row["predicted"]),
        probability=find_probability(row),
        waveform=heard.waveform,
        rate=RATE,
        offset=heard.offset,
        attributions=found,
        regions={name: list(find_regions(one)) for name, one in found.items() if one.valid},
        cues=list(list_cues(leading, clip, str(row["true"]))),
        sentence=find_sentence(leading, clip),
        span=find_span(row, "span"),
        decoy=find_span(row, "decoy"),
        scores={name: pick_scores(own, name) for name in found},
    )


def find_probability(row: Mapping[Any, Any]) -> float | None:
    """Of the predicted emotion."""
    value = row.get(f"p_{row['predicted']}")
    return None if value is None or pd.isna(value) else float(value)


def find_regions(one: Attribution) -> Iterator[tuple[float, float]]:
    """Stretches of the smallest set of cells that holds :data:`QUANTILE` of the positive relevance, in s."""
    region = find_region(one.over_time().astype(float), QUANTILE)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], region, [False]]).astype(int)))
    for first, stop in edges.reshape(-1, 2):
        yield float(one.times[first] - one.step / 2), float(one.times[stop - 1] + one.step / 2)


def find_span(row: Mapping[Any, Any], name: str) -> tuple[float, float] | None:
    """A planted stretch in s, if there is one."""
    start, end = row.get(f"{name}_start"), row.get(f"{name}_end")
    return None if start is None or end is None or pd.isna(start) or pd.isna(end) else (float(start), float(end))


def find_sentence(leading: Explained, clip: str) -> str:
    """What the cue linker says of a clip."""
    texts = leading.sentences
    if not len(texts):
        return ""
    own = texts.loc[(texts["scope"] == "clip") & (texts["name"].astype(str) == clip), "text"]
    return str(own.iloc[0]) if len(own) else ""


def list_cues(leading: Explained, clip: str, emotion: str) -> Iterator[CueLine]:
    """Contrasts of a clip with its speaker's neutral, the largest first; none of linkers that do not compare so."""
    if not {"quantile", "neutral"} <= set(leading.cues.columns):
        return
    rows = leading.cues[(leading.cues["clip"] == clip) & (leading.cues["quantile"] == QUANTILE)]
    rows = rows.dropna(subset=["neutral"])
    table = read_table(DEFAULT)
    for row in rows.reindex(rows["neutral"].abs().sort_values(ascending=False).index).to_dict("records"):
        size, q = float(row["neutral"]), row.get("q_neutral")
        expected = find_direction(table, emotion, str(row["cue"]))
        text = f"{name_change(str(row['cue']), size)} than this speaker's neutral"
        yield CueLine(str(row["cue"]), size, expected, None if q is None or pd.isna(q) else float(q), text)


def find_direction(table: ExpertTable, emotion: str, cue: str) -> float | None:
    """Which way experts expect a measure to go; ``None`` where they disagree or say nothing."""
    [own] = [one for one in CUE_LIST if one.name == cue]
    try:
        cell = table.find(emotion, own.expected, None)
    except InputError:
        return None
    return None if cell is None or not cell.sign else float(cell.sign * own.sign)


def pick_scores(scores: pd.DataFrame, method: str) -> dict[str, float]:
    """The scores of a method that stand in tables."""
    if not len(scores):
        return {}
    own = scores[scores["method"] == method].set_index("metric")["value"]
    return {one.title: float(own[one.name]) for one in HEADLINES if one.name in own.index}
