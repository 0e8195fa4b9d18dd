"""What the numbers of a study rest on: the data of its runs, what stands against them, and the pages of its steps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ser.errors import InputError
from ser.published.judge import UNTESTED, Verdict
from ser.published.read import Publication
from ser.report.blocks import Cell, Items, Section, Table, join_words
from ser.report.collect import Sweep, read_sweep
from ser.report.sections.data import show_data
from ser.report.sections.threats import list_threats
from ser.study import FAILED, LEFT, Record

#: Pages that steps leave, where in their folders, and what is on them.
PAGES = {
    "report.html": "report",
    "statistics/report.html": "statistics",
    "evaluation/*/explanation.html": "explanations of a run side by side",
    "explanation.html": "explanation",
    "*/explanation.html": "explanation",
    "*/explanation/explanation.html": "explanation",
    "figures/*.svg": "figure",
    "*/figures/*.svg": "figure",
    "explanation/figures/*.svg": "figure",
    "*/explanation/figures/*.svg": "figure",
}


def build_evidence(
    publication: Publication, verdicts: Sequence[Verdict], records: Sequence[Record]
) -> Iterator[Section]:
    """Data and threats to validity.

    Args:
        publication: what was published.
        verdicts: on its claims, in their order.
        records: of the steps.
    """
    sweeps = read_sweeps(records)
    data = show_data([run for sweep in sweeps.values() for run in sweep.done])
    if data is not None:
        yield data
    threats = [*list_untested(publication, verdicts), *list_lost(records), *list_found(sweeps)]
    if threats:
        yield Section("threats", "Threats to validity", [Items(threats)])


def read_sweeps(records: Sequence[Record]) -> dict[str, Sweep]:
    """The sweeps and single runs that steps left, by step; explanations are none."""
    found = {}
    for record in records:
        folder = Path(record.folder)
        trained = (folder / "predictions.parquet").is_file() or (folder / "sweep.json").is_file()
        if record.folder and trained and record.command[:1] == ["train"]:
            try:
                found[record.step] = read_sweep(folder)
            except InputError:  # the table of steps shows it
                continue
    return found


def list_untested(publication: Publication, verdicts: Sequence[Verdict]) -> list[tuple[str, str]]:
    """The claims that nothing is known of, and why."""
    pairs = zip(publication.claims, verdicts, strict=True)
    return [(f"Not tested: {claim.statement}", one.reason) for claim, one in pairs if one.verdict == UNTESTED]


def list_lost(records: Sequence[Record]) -> list[tuple[str, str]]:
    """The steps that did not end well."""
    return [(f"Step {each.step} {each.state}.", each.reason) for each in records if each.state in (FAILED, LEFT)]


def list_found(sweeps: Mapping[str, Sweep]) -> list[tuple[str, str]]:
    """What stands against the runs of the steps, each said once with the steps that it holds of."""
    said: dict[str, list[str]] = {}
    for step, sweep in sweeps.items():
        for text, _ in list_threats(sweep):
            said.setdefault(text, []).append(step)
    several = len(sweeps) > 1
    return [(text, _name_steps(steps) if several else "") for text, steps in said.items()]


def build_pages(records: Sequence[Record], folder: Path) -> Section:
    """Links to the pages that steps left, relative to the study's folder."""
    rows = []
    for record in records:
        for path, what in list_pages(record):
            link = quote(Path(os.path.relpath(path, folder)).as_posix())
            rows.append([Cell(record.step, record.step), Cell(what, what), Cell(_name(path, record), href=link)])
    caption = "Pages of the steps, in their folders; this page can be read without them."
    return Section("pages", "Pages of the steps", [Table(["Step", "What", "Page"], rows, caption)] if rows else [])


def list_pages(record: Record) -> Iterator[tuple[Path, str]]:
    """Pages that a step left, each once."""
    seen: set[Path] = set()
    for pattern, what in PAGES.items() if record.folder else ():
        for path in sorted(Path(record.folder).glob(pattern)):
            if path not in seen and "statistics/figures" not in path.as_posix():  # those are on their page
                yield path, what
            seen.add(path)


def _name(path: Path, record: Record) -> str:
    return path.relative_to(record.folder).as_posix()


def _name_steps(steps: Sequence[str]) -> str:
    return f"step {steps[0]}" if len(steps) == 1 else f"steps {join_words(steps)}"
