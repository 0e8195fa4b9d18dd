"""Counterfactual prosody of a run's clips: how far the margins move when one cue is changed and the clip said again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ser.audio.prepare import Preparation
from ser.cue.counterfactual import (
    Counterfactual,
    GeneratedVoice,
    Speakable,
    average_curve,
    measure_responses,
    summarise,
)
from ser.cue.world import RecordedVoice
from ser.dataset.planted.truth import read_script
from ser.explainer.clip import Clip
from ser.explainer.cues import name_speaker
from ser.explainer.subject import Subject
from ser.explainer.truth import find_margins, is_planted, score_waves


def respond(
    subject: Subject, clips: Sequence[Clip], explainer: Counterfactual, preparation: Preparation
) -> pd.DataFrame:
    """Margins of all classes of each clip at each dose (:func:`ser.cue.counterfactual.measure_responses`).

    Generated clips are spoken again and prepared as the model's clips are; recordings are changed as the model heard
    them.

    Args:
        subject: the model.
        clips: to be changed.
        explainer: which cues, by how much.
        preparation: how the model's clips are prepared.
    """
    planted = is_planted(pd.DataFrame([clip.row for clip in clips]))

    def score(waves: Sequence[np.ndarray]) -> np.ndarray:
        if planted:
            return score_waves(subject, preparation, waves)
        return np.stack([find_margins(subject, np.asarray(wave, dtype=np.float32)) for wave in waves])

    voices: list[Speakable] = [
        GeneratedVoice(clip.clip, clip.true, read_script(clip.row))
        if planted
        else RecordedVoice(clip.clip, name_speaker(clip.dataset, clip.speaker), clip.true, clip.waveform, subject.rate)
        for clip in clips
    ]
    return measure_responses(voices, score, explainer.doses, subject.emotions)


def write_responses(responses: pd.DataFrame, folder: Path) -> dict[str, float]:
    """Write responses, slopes and curves into a folder; returns the metrics: ``counterfactual/<target>/<cue>``."""
    responses.to_parquet(folder / "responses.parquet", index=False)
    slopes = summarise(responses)
    slopes.to_csv(folder / "counterfactual.csv", index=False)
    draw_curves(average_curve(responses), folder / "figures")
    return {f"counterfactual/{row['target']}/{row['cue']}": float(row["slope"]) for row in slopes.to_dict("records")}


def draw_curves(curves: pd.DataFrame, folder: Path) -> None:
    """A panel a cue: mean change of each class's margin over the dose."""
    from matplotlib.figure import Figure

    from ser.statistics.figures.style import PRINT, finish_axes, render_files, use_palette

    folder.mkdir(parents=True, exist_ok=True)
    cues = sorted(curves["cue"].unique())
    with use_palette(PRINT, "counterfactual"):
        figure = Figure(figsize=(3.2 * min(3, len(cues)), 2.6 * -(-len(cues) // 3)), layout="constrained")
        panels = figure.subplots(-(-len(cues) // 3), min(3, len(cues)), squeeze=False).flat
        for axes, cue in zip(panels, cues, strict=False):
            for target, own in curves[curves["cue"] == cue].groupby("target"):
                axes.plot(own["dose"], own["change"], marker="o", markersize=3, label=str(target))
            axes.set(title=cue, xlabel="dose", ylabel="change of the margin")
            finish_axes(axes)
        for axes in list(figure.axes)[len(cues) :]:
            axes.set_visible(False)
        figure.axes[0].legend(fontsize=7, frameon=False)
        for suffix, content in render_files(figure).items():
            (folder / f"counterfactual{suffix}").write_bytes(content)
