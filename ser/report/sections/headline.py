"""What came out, in a sentence or two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser.judge import TITLES
from ser.report.blocks import Section, Text, count_things, show_number, show_range
from ser.report.collect import Run, Sweep
from ser.report.summarise import average_metric, find_chance, rank_runs, summarise_configurations

TARGETS = {"uar": "Emotions", "ccc": "Dimensions"}


def build_headline(sweep: Sweep) -> Section:
    """The opening sentences."""
    return Section("headline", "", [Text(" ".join([describe_fates(sweep), describe_best(sweep)]), "lead")])


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
