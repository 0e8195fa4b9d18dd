"""Write the page and the CSV files beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ser.report.blocks import Section, join_distinct, join_words
from ser.report.collect import Sweep, read_sweep
from ser.report.naming import list_factors, list_repeats, name_files
from ser.report.sections import build_sections
from ser.report.summarise import (
    Confusion,
    average_confusions,
    summarise_configurations,
    tabulate_corpora,
    tabulate_dimensions,
    tabulate_runs,
)

TABLES = {
    "configurations": summarise_configurations,
    "dimensions": tabulate_dimensions,
    "corpora": tabulate_corpora,
}


def write_report(folder: Path) -> Path:
    """Write ``report.html`` and ``report/*.csv`` into a sweep's folder, or a single run's.

    The page is one file: styles, figures and the script that sorts tables are inside it. The same folder gives the same
    page, byte for byte.

    Args:
        folder: holds ``sweep.json`` and the runs it names, or ``metrics.json`` and the other files of one run.

    Returns:
        The path of the page.

    Raises:
        InputError: the folder is neither.
    """
    sweep = read_sweep(folder)
    write_tables(sweep, sweep.folder / "report")
    page = sweep.folder / "report.html"
    page.write_text(render(ask_question(sweep), describe_source(sweep), build_sections(sweep)), encoding="utf-8")
    return page


def write_tables(sweep: Sweep, folder: Path) -> None:
    """Write ``runs.csv``, ``configurations.csv``, and dimensions, corpora and confusions where there are any.

    ``confusion_<configuration>.csv`` has mean counts and ``confusion_<configuration>_share.csv`` the mean of the
    row-normalised matrices; rows are true, columns predicted. With several test corpora the name ends in the corpus.
    """
    folder.mkdir(exist_ok=True)
    for old in (*folder.glob("confusion_*.csv"), *(folder / f"{name}.csv" for name in TABLES)):
        old.unlink(missing_ok=True)
    tabulate_runs(sweep).to_csv(folder / "runs.csv", index=False)
    for name, tabulate in TABLES.items():
        frames = [frame for part in sweep.parts if len(frame := tabulate(part))]
        if frames:
            pd.concat(frames, ignore_index=True).to_csv(folder / f"{name}.csv", index=False)
    for part in sweep.parts:
        write_confusions(average_confusions(part), folder)


def write_confusions(confusions: Mapping[tuple[str, str], Confusion], folder: Path) -> None:
    """Write mean counts and mean shares of each configuration and test corpus."""
    names = {key: " · ".join(filter(None, key)) for key in confusions}
    stems = name_files(list(names.values()))
    for key, confusion in confusions.items():
        stem = stems[names[key]]
        confusion.counts.to_csv(folder / f"confusion_{stem}.csv")
        confusion.shares.to_csv(folder / f"confusion_{stem}_share.csv")


def ask_question(sweep: Sweep) -> str:
    """What was asked: as ``question`` says, else what was varied."""
    for run in sweep.runs:
        if own := str(run.config.get("question") or run.overrides.get("question") or ""):
            return own
    name = sweep.runs[0].configuration if sweep.runs else ""
    corpora = join_distinct([each.name for run in sweep.done for each in run.corpora], 3)
    factors, repeats = list_factors(sweep.varied), list_repeats(sweep.varied)
    if sweep.info.get("search"):
        return f"Which {join_words(factors)} do best?"
    if factors:
        return f"What {'does' if len(factors) == 1 else 'do'} {join_words(factors)} change?"
    if repeats:
        return f"How much does {name} depend on {join_words(repeats)}?"
    return f"How well does {name} do{f' on {corpora}' if corpora else ''}?" if name else "What came of it?"


def describe_source(sweep: Sweep) -> str:
    """What the page is about, in few words."""
    what = f"sweep over {', '.join(sweep.varied)}" if sweep.varied else "one run" if sweep.single else "sweep"
    experiment = sweep.info.get("experiment") or sweep.folder.resolve().name
    return f"ser {sweep.stage} · {experiment} · {what}"


def render(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Sections as an HTML page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html.j2").render(title=title, subtitle=subtitle, sections=sections)
