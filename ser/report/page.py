"""Write the page and the CSV files beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ser.report.blocks import Section, count_things
from ser.report.collect import Sweep, read_sweep
from ser.report.naming import name_files
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
    subtitle = f"ser {sweep.stage} · {sweep.info.get('experiment') or sweep.folder.resolve().name}"
    page.write_text(render(name_page(sweep), subtitle, build_sections(sweep)), encoding="utf-8")
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


def name_page(sweep: Sweep) -> str:
    """What the page is about: what varied, or which run it was."""
    if sweep.single:
        return f"One run of {sweep.runs[0].configuration}"
    return (
        f"Sweep over {', '.join(sweep.varied)}" if sweep.varied else f"Sweep of {count_things(len(sweep.runs), 'run')}"
    )


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
