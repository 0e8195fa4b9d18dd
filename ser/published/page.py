"""The page at the end of a study: published against obtained, a verdict a claim, what stands against it, commands."""

from __future__ import annotations

import csv
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.errors import InputError
from ser.published.evidence import build_evidence, build_pages
from ser.published.figure import Row, draw_rows, is_drawn
from ser.published.judge import SUPPORTED, UNSUPPORTED, UNTESTED, Verdict, describe_rule, judge
from ser.published.obtain import Obtained, obtain
from ser.published.read import Number, Publication
from ser.report.blocks import MISSING, Cell, Code, Facts, Figure, Items, Section, Table, Text, count_things
from ser.report.page import render
from ser.study import FAILED, LEFT, Record, Study
from ser.tracking.environment import describe_environment

PAGE, NUMBERS, VERDICTS = "report.html", "numbers.csv", "verdicts.csv"
STYLES = {SUPPORTED: "good", UNSUPPORTED: "bad", UNTESTED: "aside"}
RULE = (
    "A claim is supported if the whole 95 % interval of every number that it rests on lies where the claim says; not "
    "supported if one does not, whether the opposite was found or nothing was shown (the reason says which); and it "
    "cannot be tested where the scale's data, models or repeats do not bear it, or a number has no interval."
)


def write_page(
    study: Study,
    scale: str,
    values: Mapping[str, str],
    records: Sequence[Record],
    publication: Publication,
    folder: Path,
) -> list[Verdict]:
    """Write the page, and its two tables as CSV, into the study's folder.

    Args:
        study: what was run.
        scale: at which.
        values: of the scale, with what the command line changed.
        records: what became of the steps.
        publication: what was published.
        folder: of the study.

    Returns:
        The verdicts.
    """
    rows = [Row(number, find(number, records)) for number in publication.numbers]
    numbers = {row.number.id: row.number for row in rows}
    obtained = {row.number.id: row.obtained for row in rows}
    verdicts = [judge(claim, scale, numbers, obtained) for claim in publication.claims]
    sections = [
        build_opening(publication, scale, verdicts),
        build_claims(publication, verdicts, numbers),
        build_numbers(rows),
        build_differences(publication),
        *build_evidence(publication, verdicts, records),
        build_steps(study, scale, values, records),
        build_pages(records, folder),
        build_environment(),
    ]
    subtitle = f"ser study · {study.name} · scale {scale}"
    (folder / PAGE).write_text(
        render(publication.title, subtitle, [section for section in sections if section.blocks]), encoding="utf-8"
    )
    write_tables(rows, verdicts, folder)
    return verdicts


def find(number: Number, records: Sequence[Record]) -> Obtained:
    """Our number, or the reason why there is none."""
    if number.obtained is None:
        return Obtained(reason=number.why or "not obtained")
    record = next(each for each in records if each.step == number.obtained.step)
    if record.state in (FAILED, LEFT):
        return Obtained(reason=f"step {record.step} {record.state}")
    try:
        return obtain(number.obtained, record.folder)
    except InputError as error:  # a page with a gap is worth more than none
        return Obtained(reason=str(error).splitlines()[0])


def build_opening(publication: Publication, scale: str, verdicts: Sequence[Verdict]) -> Section:
    """The question, and how many claims held."""
    counts = {name: sum(one.verdict == name for one in verdicts) for name in STYLES}
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    stand_in = [claim for claim in publication.claims if scale not in claim.scales]
    warning = (
        f"At scale {scale} other data, models or numbers of repeats stand in for the published ones, as the values "
        "of the scale say (How to reproduce); what was obtained bears the published names all the same."
    )
    return Section(
        "opening",
        "",
        [
            Text(publication.question, "lead"),
            Text(f"Of {count_things(len(verdicts), 'claim')}: {said}."),
            *([Text(warning, "note")] if stand_in else []),
            Facts([("Publication", publication.source), ("Scale", scale)]),
        ],
    )


def build_claims(publication: Publication, verdicts: Sequence[Verdict], numbers: Mapping[str, Number]) -> Section:
    """A row a claim."""
    rows = [
        [
            word(claim.statement),
            word(one.verdict, STYLES[one.verdict]),
            word(one.reason),
            word(describe_rule(claim, numbers) or MISSING),
            word(claim.source),
        ]
        for claim, one in zip(publication.claims, verdicts, strict=True)
    ]
    return Section(
        "claims",
        "Claims",
        [Table(["Claim", "Verdict", "Why", "What it takes", "Claimed in"], rows, RULE)] if rows else [],
    )


def build_numbers(rows: Sequence[Row]) -> Section:
    """Published against obtained, a figure and a table for each group."""
    blocks: list[Any] = []
    for group in dict.fromkeys(row.number.group for row in rows):
        own = [row for row in rows if row.number.group == group]
        drawn = [row for row in own if is_drawn(row)]
        if group:
            blocks.append(Text(group, "heading"))
        if len(drawn) > 1:
            caption = "Diamonds: as published, with a standard deviation or range where one was given. Dots: ours."
            blocks.append(Figure(draw_rows(drawn, f"{group or 'numbers'}: published and obtained"), caption))
        columns = [
            "Quantity",
            "Published",
            "With it",
            "Obtained",
            "95 % interval",
            "Over",
            "Published in",
            "Obtained from",
        ]
        blocks.append(Table(columns, [list_cells(row) for row in own]))
    return Section("numbers", "Published against obtained", blocks)


def list_cells(row: Row) -> list[Cell]:
    """A row of the table."""
    number, ours = row.number, row.obtained
    place = number.obtained.describe() if number.obtained is not None else ""
    return [
        word(number.quantity),
        Cell(MISSING if number.value is None else write(number.value), number.value, style="number"),
        word(describe_spread(number) or MISSING),
        Cell(write(ours.value), ours.value if ours.known else None, style="number"),
        Cell(
            f"{write(ours.low)} to {write(ours.high)}" if ours.bounded else MISSING,
            ours.low if ours.bounded else None,
            style="number",
        ),
        word(ours.units or MISSING),
        word(number.source),
        word(place if ours.known else tell_gap(place, ours.reason), "place"),
    ]


def tell_gap(place: str, reason: str) -> str:
    """Where a number was looked for, and why there is none; reasons of files name the place themselves."""
    return reason if not place or reason.startswith(place) else f"{place}: {reason}"


def word(text: str, style: str = "") -> Cell:
    """A cell that sorts by what it says; one that says nothing stays last."""
    return Cell(text, None if text == MISSING else text, style=style)


def describe_spread(number: Number) -> str:
    """What was given beside the published number."""
    parts = [f"± {write(number.sd)}"] if number.sd is not None else []
    if number.low is not None and number.high is not None:
        parts.append(f"{write(number.low)} to {write(number.high)}")
    return ", ".join([*parts, *([f"n = {number.n}"] if number.n is not None else [])])


def write(value: float) -> str:
    """A number in as many digits as it needs."""
    if not math.isfinite(value):
        return MISSING
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def build_differences(publication: Publication) -> Section:
    """What we do otherwise."""
    return Section(
        "differences",
        "What is done otherwise than published",
        [Items([(each, "") for each in publication.differences])] if publication.differences else [],
    )


def build_steps(study: Study, scale: str, values: Mapping[str, str], records: Sequence[Record]) -> Section:
    """Commands and times."""
    said = study.scales[scale]
    changed = [f"{key}={value}" for key, value in values.items() if value != write_scale(said.get(key))]
    command = shlex.join(["ser", "study", study.name, f"scale={scale}", *changed])
    rows = [
        [
            word(record.step),
            word(record.state, "bad" if record.state in (FAILED, LEFT) else ""),
            Cell(f"{record.seconds:.0f} s", record.seconds, style="number"),
            word(record.reason or Path(record.folder).name or MISSING),
        ]
        for record in records
    ]
    commands = "\n".join(f"# {record.step}\n{shlex.join(['ser', *record.command])}" for record in records)
    total = sum(record.seconds for record in records)
    return Section(
        "steps",
        "How to reproduce",
        [
            Text("All of it; steps that are done are not done again:"),
            Code(command),
            Table(["Step", "State", "Took", "Folder, or reason"], rows, f"{total:.0f} s in all."),
            Code(commands, "The command of each step"),
            Code("\n".join(f"{key}: {value}" for key, value in values.items()), f"Values of the scale {scale}"),
        ],
    )


def write_scale(value: object) -> str | None:
    """A value of a scale as it is when nobody changed it."""
    from ser.study import write_value

    return write_value(value)


def build_environment() -> Section:
    """Versions and machine."""
    found = describe_environment()
    packages = found["packages"]
    assert isinstance(packages, dict)
    facts = [
        ("ser", str(found["ser"])),
        ("Git revision", str(found["git_revision"] or "")),
        ("Python", str(found["python"])),
        ("Platform", str(found["platform"])),
        ("Hardware", str(found["hardware"])),
    ]
    listed = "\n".join(f"{name}=={version}" for name, version in sorted(packages.items()))
    return Section(
        "environment",
        "Environment",
        [Facts([fact for fact in facts if fact[1]]), Code(listed, count_things(len(packages), "package"))],
    )


def write_tables(rows: Sequence[Row], verdicts: Sequence[Verdict], folder: Path) -> None:
    """Both tables as CSV."""
    with (folder / NUMBERS).open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["number", "quantity", "published", "sd", "obtained", "low", "high", "over", "reason", "source"])
        for row in rows:
            number, ours = row.number, row.obtained
            known = [ours.value, ours.low, ours.high] if ours.known else ["", "", ""]
            shown = [
                number.id,
                number.quantity,
                number.value,
                number.sd,
                *known,
                ours.units,
                ours.reason,
                number.source,
            ]
            out.writerow(["" if value is None or value != value else value for value in shown])
    with (folder / VERDICTS).open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["claim", "verdict", "reason"])
        out.writerows([one.claim, one.verdict, one.reason] for one in verdicts)


def describe_verdicts(verdicts: Sequence[Verdict]) -> str:
    """A line a claim, for a screen."""
    width = max(len(one.claim) for one in verdicts)
    return "\n".join(f"{one.claim:<{width}}  {one.verdict}: {one.reason}" for one in verdicts)
