"""What came out, in a sentence or two, and what it came out of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ser.judge import TITLES
from ser.report.blocks import Facts, Section, Text, count_things, join_distinct, show_number, show_range
from ser.report.collect import Run, Sweep
from ser.report.naming import describe_choice
from ser.report.summarise import average_metric, find_chance, list_corpora, rank_runs, summarise_configurations

TARGETS = {"uar": "Emotions", "ccc": "Dimensions"}


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
    """The best configuration of the runs that name emotions, and of those that predict dimensions."""
    sentences = {part.headline: describe_first(part, runs) for part in sweep.parts if (runs := rank_runs(part))}
    if len(sentences) > 1:
        return " ".join(f"{TARGETS[head]}: {sentence}" for head, sentence in sentences.items())
    return next(iter(sentences.values()), "There is no score to report.")


def describe_first(part: Sweep, ranked: Mapping[str, list[Run]]) -> str:
    """The first of ranked configurations with its mean and range, and the chance level."""
    name, runs = next(iter(ranked.items()))
    which = f"The best of {len(ranked)} configurations, {name}," if len(ranked) > 1 else name
    score = _describe_score(summarise_configurations(part).iloc[0], part.headline, runs)
    return f"{which} reached {score}; {describe_chance([find_chance(run) for run in part.done])}."


def describe_chance(levels: list[float]) -> str:
    """The chance level in words; a range if the runs had different numbers of classes."""
    known = sorted({level for level in levels if not np.isnan(level)})
    if not known:
        return "the chance level is not known"
    if known == [0.0]:
        return "chance is 0, full agreement 1"
    inverse = [f"1/{round(1 / level)}" for level in known]
    if len(known) == 1:
        return f"chance is {show_number(known[0])} ({inverse[0]})"
    return f"chance is {show_range(known[0], known[-1])} ({inverse[0]} to {inverse[-1]}, by the classes of a run)"


def list_facts(sweep: Sweep) -> list[tuple[str, str]]:
    """Data, split and command; a fact that differs between runs shows all its values."""
    done = sweep.done
    dimensions = [name for run in done for name in run.dimensions]
    return [
        *_describe_data(done),
        ("Dimensions", join_distinct(dimensions, 12)),
        ("Tested on", "; ".join(filter(None, (_count_tested(sweep, corpus) for corpus in list_corpora(sweep))))),
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


def _describe_score(best: pd.Series, head: str, runs: list[Run]) -> str:
    mean = show_number(best[f"{head}_mean"])
    each = _describe_dimensions(runs)
    if best["n"] > 1:
        reach = show_range(best[f"{head}_min"], best[f"{head}_max"])
        over = f"the same in all {best['n']} runs" if reach == mean else f"{reach} over {best['n']} runs"
        return f"a mean {TITLES[head]} of {mean} ({over}){each}"
    low, high = (runs[0].metric(f"test/{head}_ci_{end}") for end in ("low", "high"))
    interval = f" (95\u00a0% interval over speakers {show_range(low, high)})" if not np.isnan(low + high) else ""
    return f"a {TITLES[head]} of {mean}{interval}{each}"


def _describe_dimensions(runs: list[Run]) -> str:
    """Of what the mean CCC is the mean; nothing for a single dimension, or emotions."""
    names = runs[0].dimensions
    if len(names) < 2:
        return f" for {names[0]}" if names else ""
    values = ", ".join(f"{name} {show_number(average_metric(runs, f'ccc/{name}'))}" for name in names)
    return f", averaged over {len(names)} dimensions ({values})"


def _count_tested(sweep: Sweep, corpus: str) -> str:
    """Clips and speakers that runs were tested on; a clip that several folds tested counts once."""
    tables = [table for run in sweep.done if len(table := run.predict(corpus))]
    if not tables:
        return ""
    clips, speakers = (
        [len(table[["dataset", column]].drop_duplicates()) for table in tables] for column in ("clip", "speaker")
    )
    name = f"{corpus}: " if corpus else ""
    return f"{name}{_join_counts(clips, 'clip')}, {_join_counts(speakers, 'speaker')}"


def _describe_data(runs: tuple[Run, ...]) -> list[tuple[str, str]]:
    named = {str(run.dataset.get("name") or "") for run in runs if not run.dimensions}
    known = {str(run.dataset.get("name") or ""): run.dataset for run in runs if run.dataset}
    if not known:
        return [("Dataset", join_distinct([name for run in runs for name in run.predictions["dataset"].unique()]))]
    return [fact for name, dataset in known.items() for fact in _describe_dataset(name, dataset, name in named)]


def _describe_dataset(name: str, dataset: Mapping[str, Any], emotional: bool) -> list[tuple[str, str]]:
    sizes = [
        count_things(int(dataset[f"{k}s"]), k) for k in ("clip", "speaker") if isinstance(dataset.get(f"{k}s"), int)
    ]
    emotions = (dataset.get("emotions") if emotional else None) or {}
    listed = ", ".join(f"{emotion} {number}" for emotion, number in emotions.items())
    listeners = (dataset.get("human_uar") if emotional else None) or {}
    return [
        ("Dataset", ": ".join(filter(None, [name, ", ".join(sizes)]))),
        ("Emotions", f"{len(emotions)}: {listed}" if emotions else ""),
        ("Listeners", ", ".join(f"{name}: {value:.2f}" for name, value in listeners.items())),
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
