"""Write the page and the CSV files beside it."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ser.report.blocks import Section, count_things
from ser.report.collect import Sweep, read_sweep
from ser.report.naming import name_files
from ser.report.sections import build_sections
from ser.report.summarise import average_confusions, summarise_configurations, tabulate_runs


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
    page.write_text(render_page(sweep, build_sections(sweep)), encoding="utf-8")
    return page


def write_tables(sweep: Sweep, folder: Path) -> None:
    """Write ``runs.csv``, ``configurations.csv`` and the confusions of each configuration.

    ``confusion_<configuration>.csv`` has mean counts and ``confusion_<configuration>_share.csv`` the mean of the
    row-normalised matrices; rows are true, columns predicted.
    """
    folder.mkdir(exist_ok=True)
    for old in folder.glob("confusion_*.csv"):
        old.unlink()
    tabulate_runs(sweep).to_csv(folder / "runs.csv", index=False)
    summarise_configurations(sweep).to_csv(folder / "configurations.csv", index=False)
    confusions = average_confusions(sweep)
    stems = name_files(list(confusions))
    for name, confusion in confusions.items():
        confusion.counts.to_csv(folder / f"confusion_{stems[name]}.csv")
        confusion.shares.to_csv(folder / f"confusion_{stems[name]}_share.csv")


def name_page(sweep: Sweep) -> str:
    """What the page is about: what varied, or which run it was."""
    if sweep.single:
        return f"One run of {sweep.runs[0].configuration}"
    return (
        f"Sweep over {', '.join(sweep.varied)}" if sweep.varied else f"Sweep of {count_things(len(sweep.runs), 'run')}"
    )


def render_page(sweep: Sweep, sections: list[Section]) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    title = name_page(sweep)
    subtitle = f"ser {sweep.stage} · {sweep.info.get('experiment') or sweep.folder.resolve().name}"
    return environment.get_template("template.html.j2").render(title=title, subtitle=subtitle, sections=sections)
