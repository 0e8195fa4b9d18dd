"""Put the page together: the template shows everything without a script; the script plays, overlays and filters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import ser.report
from ser.errors import InputError
from ser.explainer.viewer.clip import Span, ViewerClip
from ser.explainer.viewer.maps import PAGE_CELLS, pack_maps, trace_curve
from ser.explainer.viewer.sound import OUTLINE_COLUMNS, TOP, draw_spectrogram, encode_audio, to_mel, trace_outline
from ser.report.blocks import MISSING, count_things, show_number, show_range

#: Marks of the spectrogram's axis in Hz, and how many marks of time there are at most.
PITCHES = (500, 1000, 2000, 4000, 8000)
MARKS = 10
#: The keys that choose an explainer, in their order.
KEYS = "1234567890"


def write_viewer(
    path: Path,
    title: str,
    clips: Sequence[ViewerClip],
    notes: Sequence[str] = (),
    planted: pd.DataFrame | None = None,
) -> Path:
    """Write a page that shows and plays clips with what explainers say about them.

    The page is one file: audio, pictures, maps, styles and script are inside it. Printed, it shows the clips that its
    filters leave, each with its sentence, a static picture and its tables; so it does where scripts do not run.

    Args:
        path: of the page.
        title: what the clips have in common, e.g. the model.
        clips: in the order of the list.
        notes: what a reader must know of all of them, a paragraph each.
        planted: scores of all clips together against planted truth, a row a score and explainer
            (:func:`ser.explainer.evaluation.summary.tabulate_planted`).

    Returns:
        The path.

    Raises:
        InputError: there are no clips.
    """
    if not clips:
        raise InputError("a page of explained clips needs at least one clip")
    methods = list(dict.fromkeys(name for clip in clips for name in clip.attributions))
    density = PAGE_CELLS / sum(clip.seconds for clip in clips)
    shown = [show_clip(clip, methods, density * clip.seconds) for clip in clips]
    page = (
        _make_environment()
        .get_template("viewer.html.j2")
        .render(
            title=title,
            subtitle=f"ser explain · {count_things(len(clips), 'clip')} · {count_things(len(methods), 'explainer')}",
            notes=notes,
            planted=show_planted(planted) if planted is not None and len(planted) else None,
            clips=shown,
            several=len({clip.dataset for clip in clips}) > 1,
            emotions=sorted({clip.true for clip in clips}),
            speakers=sorted({clip.speaker for clip in clips}),
            correct=sum(clip.correct for clip in clips),
            methods=methods,
            keys=KEYS,
            columns=OUTLINE_COLUMNS,
            shared=_embed({"methods": methods, "keys": KEYS, "top": TOP}),
        )
    )
    path.write_text(page.lstrip(), encoding="utf-8")
    return path


def show_clip(clip: ViewerClip, methods: Sequence[str], cells: float) -> dict[str, object]:
    """What the template says of a clip, whose maps hold so many cells; ``data`` is for the script alone."""
    metrics = list(dict.fromkeys(metric for scores in clip.scores.values() for metric in scores))
    planted = [("planted", clip.span), ("decoy", clip.decoy)]
    return {
        "about": clip,
        "audio": encode_audio(clip.waveform, clip.rate),
        "outline": trace_outline(clip.waveform),
        "spectrogram": draw_spectrogram(clip.waveform, clip.rate),
        "pitches": [(_name_pitch(pitch), f"{100 - 100 * to_mel(pitch) / to_mel(TOP):.2f}") for pitch in PITCHES],
        "marks": [(f"{mark:g}", f"{_place(clip, mark):.2f}") for mark in choose_marks(clip.offset, clip.seconds)],
        "planted": [(name, *_place_span(clip, span), describe_span(span)) for name, span in planted if span],
        "lanes": [_show_lane(clip, name) for name in methods],
        "metrics": [metric.replace("_", " ") for metric in metrics],
        "scores": [(name, _show_scores(clip, name, metrics), _explain_absence(clip, name)) for name in methods],
        "absent": any(_explain_absence(clip, name) for name in methods),
        "explained": ", ".join(dict.fromkeys(one.target for one in clip.attributions.values())) or clip.predicted,
        "data": _embed(_collect_data(clip, cells)),
    }


def show_planted(table: pd.DataFrame) -> dict[str, object]:
    """The explainers, and the cells of each score, chance and ideal last; chance may differ between explainers."""
    methods = list(dict.fromkeys(table["method"]))
    rows = []
    for title, own in table.groupby("title", sort=False):
        by_method = own.set_index("method")
        found = [_tell_interval(by_method.loc[name]) if name in by_method.index else ("", "") for name in methods]
        rows.append((title, [*found, *(_tell_range(own[end]) for end in ("chance", "ideal"))]))
    return {"methods": methods, "rows": rows}


def _tell_interval(row: pd.Series) -> tuple[str, str]:
    interval = show_range(row["ci_low"], row["ci_high"], 2)
    return show_number(row["mean"], 2) + ("" if interval == MISSING else f" ({interval})"), f"{row['mean']:.6g}"


def _tell_range(values: pd.Series) -> tuple[str, str]:
    low, high = (round(float(end), 2) + 0.0 for end in (values.min(), values.max()))  # no negative zero
    return show_range(low, high, 2), f"{low:.6g}"


def choose_marks(start: float, seconds: float) -> list[float]:
    """Round times in s between the start and the end of a clip, not more than ``MARKS``."""
    step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, seconds) if seconds / step < MARKS)
    first = int(np.ceil(start / step - 1e-9))
    last = int(np.floor((start + seconds) / step + 1e-9))
    return [round(index * step, 6) for index in range(first, last + 1)]


def describe_span(span: Span) -> str:
    """``0.40–0.85 s``."""
    return f"{span[0]:.2f}–{span[1]:.2f} s"


def _collect_data(clip: ViewerClip, cells: float) -> dict[str, object]:
    maps, axes = pack_maps(clip.attributions, cells)
    valid = {name for name, one in clip.attributions.items() if one.valid}
    return {
        "clip": clip.clip,
        "start": clip.offset,
        "seconds": clip.seconds,
        "maps": maps,
        "axes": axes,
        "targets": {name: one.target for name, one in clip.attributions.items()},
        "regions": {
            name: [[round(float(edge), 4) for edge in span] for span in spans]
            for name, spans in clip.regions.items()
            if name in valid
        },
        "invalid": {name: list(one.reasons) for name, one in clip.attributions.items() if not one.valid},
    }


def _show_lane(clip: ViewerClip, method: str) -> dict[str, object]:
    one = clip.attributions.get(method)
    if one is None or not one.valid:
        return {"method": method, "curve": "", "regions": [], "absence": _explain_absence(clip, method)}
    regions = [tuple(10 * value for value in _place_span(clip, span)) for span in clip.regions.get(method, ())]
    curve = trace_curve(one, clip.offset, clip.seconds)
    return {"method": method, "curve": curve, "regions": regions, "absence": ""}


def _explain_absence(clip: ViewerClip, method: str) -> str:
    one = clip.attributions.get(method)
    if one is None:
        return "not computed"
    return "" if one.valid else "not valid: " + "; ".join(one.reasons)


def _show_scores(clip: ViewerClip, method: str, metrics: Sequence[str]) -> list[tuple[str, str]]:
    found = [clip.scores.get(method, {}).get(metric, float("nan")) for metric in metrics]
    return [(show_number(value), f"{value:.6g}" if np.isfinite(value) else "") for value in found]


def _place(clip: ViewerClip, moment: float) -> float:
    return 100 * (moment - clip.offset) / clip.seconds


def _place_span(clip: ViewerClip, span: Span) -> tuple[float, float]:
    """Beginning and width in percent of the clip."""
    first, last = (min(100.0, max(0.0, _place(clip, edge))) for edge in span)
    return round(first, 2), round(last - first, 2)


def _name_pitch(pitch: int) -> str:
    return f"{pitch / 1000:g}" + (" kHz" if pitch == max(PITCHES) else "")


def _embed(data: Mapping[str, object]) -> Markup:
    """JSON that cannot end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _make_environment() -> Environment:
    folders = [Path(__file__).parent, Path(ser.report.__file__).parent]  # the latter for the style of all pages
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
