"""What came out, in a sentence or two, and what it came out of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ser.report.blocks import Facts, Section, Text, count_things, join_distinct, show_number, show_range
from ser.report.collect import Run, Sweep
from ser.report.naming import describe_choice
from ser.report.summarise import find_chance, summarise_configurations

FATES = {"finished": "finished", "failed": "failed", "refused": "refused"}


def build_headline(sweep: Sweep) -> Section:
    """The opening sentences and the facts."""
    lead = " ".join(filter(None, [describe_fates(sweep), describe_best(sweep)]))
    facts = [(term, text) for term, text in list_facts(sweep) if text]
    return Section("headline", "", [Text(lead, "lead"), Facts(facts)])


def describe_fates(sweep: Sweep) -> str:
    """How many runs finished, and what became of the others."""
    total, done = len(sweep.runs), len(sweep.done)
    if sweep.single:
        return "One run finished."
    earlier = sum(run.state == "skipped" for run in sweep.runs)
    aside = f" ({earlier} of them before this sweep)" if earlier else ""
    if done == total:
        return f"{_count_all(total)} finished{aside}." if total else "The sweep has no runs."
    others = Counter(run.state for run in sweep.runs if not run.done)
    fates = [
        f"{number} {'was refused' if state == 'refused' and number == 1 else _tell(state)}"
        for state, number in sorted(others.items())
    ]
    finished = f"{done} finished{aside}" if done else "none finished"
    return f"Of {count_things(total, 'run')}, {', '.join([finished, *fates[:-1]])} and {fates[-1]}."


def describe_best(sweep: Sweep) -> str:
    """The best configuration with its mean and range, and the chance level."""
    configurations = summarise_configurations(sweep)
    scored = configurations[configurations["n"] > 0] if len(configurations) else configurations
    if not len(scored):
        return "There is no score to report."
    best = scored.iloc[0]
    runs = [run for run in sweep.done if run.configuration == best["configuration"]]
    name = best["configuration"]
    which = f"The best of {len(scored)} configurations, {name}," if len(scored) > 1 else name
    sentence = f"{which} reached {_describe_score(best, runs)}"
    return f"{sentence}; {describe_chance([find_chance(run) for run in sweep.done])}."


def describe_chance(levels: list[float]) -> str:
    """The chance level in words; a range if the runs had different numbers of classes."""
    known = sorted({level for level in levels if not np.isnan(level)})
    if not known:
        return "the chance level is not known"
    inverse = [f"1/{round(1 / level)}" for level in known]
    if len(known) == 1:
        return f"chance is {show_number(known[0])} ({inverse[0]})"
    return f"chance is {show_range(known[0], known[-1])} ({inverse[0]} to {inverse[-1]}, by the classes of a run)"


def list_facts(sweep: Sweep) -> list[tuple[str, str]]:
    """Data, split and command; a fact that differs between runs shows all its values."""
    done = sweep.done
    clips = [int(run.metric("test/n_clips")) for run in done if not np.isnan(run.metric("test/n_clips"))]
    speakers = [int(run.metric("test/n_speakers")) for run in done if not np.isnan(run.metric("test/n_speakers"))]
    return [
        *_describe_data(done),
        ("Tested on", f"{_join_counts(clips, 'clip')}, {_join_counts(speakers, 'speaker')}" if clips else ""),
        (
            "Split",
            join_distinct(
                [describe_choice(run.config, "split", sweep.varied) for run in done if run.config.get("split")], 3
            ),
        ),
        ("Varied", ", ".join(f"{factor} ({_list_levels(sweep, factor)})" for factor in sweep.varied)),
        ("Ran", describe_time(sweep.info)),
        ("Command", str(sweep.info.get("command") or "")),
    ]


def describe_time(info: Mapping[str, Any]) -> str:
    """When the sweep started and how long it took."""
    started, finished = (pd.to_datetime(str(info.get(name)), errors="coerce") for name in ("started", "finished"))
    if pd.isna(started):
        return ""
    text = f"{started:%Y-%m-%d %H:%M}"
    if pd.isna(finished):
        return text
    return f"{text}, for {describe_duration((finished - started).total_seconds())}"


def describe_duration(seconds: float) -> str:
    """Seconds, minutes or hours, as a reader would say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _count_all(total: int) -> str:
    return "The one run" if total == 1 else "Both runs" if total == 2 else f"All {total:,} runs"


def _tell(state: str) -> str:
    return "were refused" if state == "refused" else state


def _describe_score(best: pd.Series, runs: list[Run]) -> str:
    if best["n"] > 1:
        reach = show_range(best["uar_min"], best["uar_max"])
        over = f"{reach} over {best['n']} runs" if "–" in reach else f"the same in all {best['n']} runs"
        return f"a mean UAR of {show_number(best['uar_mean'])} ({over})"
    run = next(run for run in runs if not np.isnan(run.metric("test/uar")))
    low, high = run.metric("test/uar_ci_low"), run.metric("test/uar_ci_high")
    interval = f" (95\u00a0% interval over speakers {show_range(low, high)})" if not np.isnan(low + high) else ""
    return f"a UAR of {show_number(best['uar_mean'])}{interval}"


def _describe_data(runs: tuple[Run, ...]) -> list[tuple[str, str]]:
    known = {str(run.dataset.get("name") or ""): run.dataset for run in runs if run.dataset}
    if not known:
        return [("Dataset", join_distinct([name for run in runs for name in run.predictions["dataset"].unique()]))]
    return [fact for name, dataset in known.items() for fact in _describe_dataset(name, dataset)]


def _describe_dataset(name: str, dataset: Mapping[str, Any]) -> list[tuple[str, str]]:
    sizes = [
        count_things(int(dataset[f"{k}s"]), k) for k in ("clip", "speaker") if isinstance(dataset.get(f"{k}s"), int)
    ]
    emotions = dataset.get("emotions") or {}
    listed = ", ".join(f"{emotion} {number}" for emotion, number in emotions.items())
    return [
        ("Dataset", ": ".join(filter(None, [name, ", ".join(sizes)]))),
        ("Emotions", f"{len(emotions)}: {listed}" if emotions else ""),
        ("Listeners", ", ".join(f"{name}: {value:.2f}" for name, value in (dataset.get("human_uar") or {}).items())),
        ("Licence", str(dataset.get("licence") or "")),
        ("Cite", str(dataset.get("citation") or "")),
    ]


def _join_counts(numbers: list[int], thing: str) -> str:
    if not numbers:
        return f"an unknown number of {thing}s"
    low, high = min(numbers), max(numbers)
    return count_things(low, thing) if low == high else f"{low:,} to {high:,} {thing}s"


def _list_levels(sweep: Sweep, factor: str) -> str:
    return join_distinct([run.overrides.get(factor, "default") for run in sweep.runs], 12)
