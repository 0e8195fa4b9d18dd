"""The stage ``ser predict``: what finished runs say of recordings that they never heard.

A file that cannot be used is told at the end; the others are judged all the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
from hydra.utils import instantiate

from ser.dataset.table import read_table
from ser.errors import InputError
from ser.prediction.fuse import RULES, check_alike, fuse
from ser.prediction.hear import Unreadable
from ser.prediction.options import Options
from ser.prediction.places import Place, Windows, list_files, make_places, read_texts
from ser.prediction.predictor import Predictor, check_texts
from ser.prediction.said import Said
from ser.prediction.table import find_format, print_table, tabulate, write_table
from ser.progress import show_progress


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        table: a row a recording, or a window of one (:func:`ser.prediction.table.tabulate`).
        out: the file that has it.
        problems: recordings that could not be used, and why.
    """

    table: pd.DataFrame
    out: Path
    problems: Mapping[str, str]


def predict(options: Options) -> Outcome:
    """Judge the recordings that options (``conf/predict.yaml``) name, print and write a table.

    Raises:
        InputError: no such run or recordings, choices that do not go together; before long work starts.
    """
    own = options.own
    out = Path(
        own.out or Path(options.present.paths.outputs) / "predictions" / f"{datetime.now():%Y-%m-%d_%H-%M-%S-%f}.csv"
    )
    style = find_format(out, own.format)
    predictors = load_predictors(options)
    if own.explain:
        from ser.prediction.cues import check_cues  # imports torch

        check_cues(predictors, instantiate(options.present.cue_link))
    places = find_places(options, predictors)
    said, seconds = judge(predictors, places, own.fuse)
    table = tabulate(places, said)
    if own.explain and len(table):
        kept = [place for at, place in enumerate(places) if at not in said.problems]
        table["cues"] = explain(options, predictors[0], kept, table["predicted"].tolist(), out)
    write_table(table, out, style)
    if len(table):
        print_table(table)
    sys.stdout.write(describe(predictors, places, said, seconds))
    return Outcome(table, out, list_problems(places, said))


def load_predictors(options: Options) -> list[Predictor]:
    """The run, or the runs that are fused.

    Raises:
        InputError: none or both named, unknown ones, ones that predict different things.
    """
    own = options.own
    if bool(own.run) == bool(own.runs):
        raise InputError(
            "run, runs: which models?", expected="run=<id, key, directory or export>, or runs=[<one>,<another>]"
        )
    if own.fuse not in RULES:
        raise InputError(f"fuse={own.fuse}", expected=" or ".join(RULES))
    predictors = [
        Predictor.load(run, own.fold, own.calibrated, options.present, own.accelerator)
        for run in ([own.run] if own.run else own.runs)
    ]
    check_alike(predictors)
    return predictors


def find_places(options: Options, predictors: Sequence[Predictor]) -> list[Place]:
    """Recordings, cut into windows where they are long, with what is said in them.

    Raises:
        InputError: nothing there, a model that reads and is not told what, windows of what is read.
    """
    own, audio = options.own, options.own.audio
    if audio is None and own.texts and all(predictor.reads == "transcripts" for predictor in predictors):
        audio = read_table(Path(own.texts), f"texts={own.texts}")["clip"].astype(str).tolist()
    files = list_files(audio)
    places = make_places(files, read_texts(own.texts, files) if own.texts else None)
    check_texts(predictors, places)
    most = min(predictor.longest_window for predictor in predictors)
    windows = Windows(read_seconds("window", own.window), read_seconds("hop", own.hop), most)
    if all(predictor.reads == "sound" for predictor in predictors):
        return [each for place in places for each in windows.divide(place, predictors[0].rate)]
    if own.window or own.hop:
        raise InputError(
            "window, hop: what is read is said in a whole recording, nobody knows in which window",
            remedy="leave them out, or cut the recordings and transcribe the parts",
        )
    return places


def read_seconds(name: str, value: str | None) -> float | None:
    """A length as typed.

    Raises:
        InputError: no number.
    """
    try:
        return None if value is None else float(value)
    except ValueError as error:
        raise InputError(f"{name}={value}", expected="s, such as 5 or 2.5, or null") from error


def judge(predictors: Sequence[Predictor], places: Sequence[Place], rule: str) -> tuple[Said, float]:
    """What all runs together say of places, and how many s that took, once they were loaded."""
    for predictor in predictors:
        predictor.warm_up()
    began, said = time.perf_counter(), []
    for predictor in predictors:
        with show_progress(predictor.name, len(places)) as advance:
            said.append(predictor.say(places, advance))
    whole = said[0] if len(said) == 1 else fuse(said, rule)
    return whole, time.perf_counter() - began


def explain(
    options: Options, predictor: Predictor, places: Sequence[Place], predicted: Sequence[str], out: Path
) -> list[str]:
    """Cues of each place in words; in numbers beside the table."""
    from ser.prediction.cues import explain_places

    linker, explainer = instantiate(options.present.cue_link), instantiate(options.present.explainer)
    words, contrasts = explain_places(predictor, explainer, linker, places, predicted)
    path = out.with_name(f"{out.stem}.cues.csv")
    write_table(contrasts, path, "csv")
    sys.stdout.write(f"cues: {path}\n")
    return words


def describe(predictors: Sequence[Predictor], places: Sequence[Place], said: Said, seconds: float) -> str:
    """Who judged, how, and how fast."""
    lines = []
    for predictor in predictors:
        count = len(predictor.models)
        lines.append(predictor.name + (f": mean of the models of {count} folds" if count > 1 else ""))
        if predictor.temperature is not None:
            lines.append(predictor.temperature.describe())
    silent = sum(places[at].start is not None and not isinstance(why, Unreadable) for at, why in said.problems.items())
    if silent:
        lines.append(f"{silent} of {len(places)} windows have no row: nothing to hear in them")
    done = len(places) - len(said.problems)
    if not done:
        return "\n".join([*lines, "nothing could be judged", ""])
    what = "window" if any(place.start is not None for place in places) else "clip"
    speed = f"{done} {what}{'' if done == 1 else 's'} in {seconds:.1f} s: {done / seconds:.1f} a second"
    if said.seconds:
        speed += f", {said.seconds / seconds:.0f} × real time ({said.seconds:.0f} s of sound)"
    return "\n".join([*lines, speed, ""])


def list_problems(places: Sequence[Place], said: Said) -> dict[str, str]:
    """Recordings that could not be used, or parts that could not be decoded, and why; silent windows are no problem."""
    judged = {place.file for at, place in enumerate(places) if at not in said.problems}
    return {
        places[at].shown: str(why)
        for at, why in said.problems.items()
        if isinstance(why, Unreadable) or places[at].file not in judged
    }
