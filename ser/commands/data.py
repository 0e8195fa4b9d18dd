"""``ser data``: list corpora, check a copy, explore it, fetch it."""

from __future__ import annotations

import csv
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from ser.data.catalogue import Entry
    from ser.data.options import Options

ACTIONS = ("list", "check", "explore", "transcribe", "fetch")
FORMATS = ("table", "csv", "json")
USAGE = """usage: ser data list [format=table|csv|json]
       ser data check   dataset=<name> [dataset.root=<folder>] [check.…] [out=<folder>]
       ser data explore dataset=<name> [dataset.root=<folder>] [explore.reference=others|neutral] [out=<folder>]
       ser data transcribe dataset=<name> transcribe.source=<Whisper> [transcribe.language=it] [out=<folder>]
       ser data fetch   dataset=<name> [dataset.root=<folder>]

list     every corpus there is a parser for: language, size, licence, how to get it
check    reads every file: unusable, duplicate, clipped, padded; counts; what could give the emotion away.
         Writes check.json and clips.csv; exit code 1 if a file is unusable or duplicates contradict each other
explore  a page: who says how much, durations, F0, loudness, rate and pauses by emotion, effect sizes, PCA
transcribe  writes what a local Whisper hears as a table for dataset.texts=<table>
fetch    downloads where the licence allows it; else says how to ask for access

dataset and audio are those of ser train; conf/data.yaml has the other options."""


def main(arguments: Sequence[str]) -> int:
    """Run one action; returns the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE + "\n")
        return 0
    action, rest = read_action(arguments)
    if action == "list":
        return run_list(rest)
    from ser.data.options import read_options

    options = read_options(rest)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    runs: Mapping[str, Callable[[Options], int]] = {
        "check": run_check,
        "explore": run_explore,
        "transcribe": run_transcribe,
        "fetch": run_fetch,
    }
    return runs[action](options)


def read_action(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The action (the positional, or ``action=``) and the other arguments."""
    if {"-m", "--multirun"} & set(arguments):
        raise InputError("data: -m sweeps training; a check looks at one corpus", remedy="call it once for each corpus")
    if flags := [argument for argument in arguments if argument.startswith("-")]:
        raise InputError(
            f"data {flags[0]}: no such flag",
            expected=f"one of {', '.join(ACTIONS)}, and key=value",
            remedy="a folder conf where you are joins in without one",
        )
    named = [argument for argument in arguments if argument.startswith("action=")]
    plain = [argument for argument in arguments if "=" not in argument]
    found = [*plain, *(argument.partition("=")[2] for argument in named)]
    if len(found) != 1 or found[0] not in ACTIONS:
        raise InputError(f"data: {' '.join(found) or 'no action'}", expected=f"one of {', '.join(ACTIONS)}")
    rest = [argument for argument in arguments if argument not in (plain or named)]
    return found[0], rest


def run_list(options: Sequence[str]) -> int:
    """Print every corpus as a table, or as CSV or JSON for programs."""
    from ser.data.catalogue import describe_codes, list_corpora, make_record

    style = "table"
    for option in options:
        name, _, style = option.partition("=")
        if name != "format" or style not in FORMATS:
            raise InputError(f"data list: {option!r} is not an option", expected=f"format={'|'.join(FORMATS)}")
    entries = list_corpora()
    if style == "table":
        print_table(entries)
        print_codes(describe_codes())
        return 0
    records = [make_record(entry) for entry in entries]
    if style == "json":
        sys.stdout.write(json.dumps(records, indent=2, ensure_ascii=False) + "\n")
        return 0
    writer = csv.DictWriter(sys.stdout, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow(
            {key: write_pairs(value) if isinstance(value, dict) else value for key, value in record.items()}
        )
    return 0


def write_pairs(pairs: Mapping[str, object]) -> str:
    """A mapping in one cell: ``anger:127 boredom:81``."""
    return " ".join(f"{key}:{'none' if value is None else value}" for key, value in pairs.items())


def print_table(entries: Sequence[Entry]) -> None:
    """The corpora, with what is published about them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify, least in (
        ("dataset", "left", 8), ("corpus", "left", 18), ("lang", "left", 4), ("clips", "right", 5),
        ("speakers", "right", 4), ("classes", "right", 3), ("licence", "left", 14), ("how to get it", "left", 20),
        ("here", "left", 4),
    ):  # fmt: skip
        table.add_column(name, justify=justify, min_width=least, overflow="fold")  # type: ignore[arg-type]
    for entry in entries:
        numbers = [f"{n:,}" if n else "–" for n in (entry.clips, entry.speakers, entry.classes)]
        way = f"{entry.access}\n{entry.url}".strip()
        cells = [entry.name, entry.title, entry.language, *numbers, entry.licence, way, "yes" if entry.here else ""]
        table.add_row(*map(Text, cells))
    make_console().print(table)


def print_codes(codes: Mapping[str, str]) -> None:
    """What each corpus calls the emotions."""
    from rich.table import Table

    table = Table("dataset", "codes of the emotions", box=None, header_style="bold", pad_edge=False)
    for name, described in codes.items():
        table.add_row(name, described)
    console = make_console()
    console.print()
    console.print(table)


def make_console() -> Console:
    """Prints as wide as the terminal, or 150 columns where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 150, highlight=False)


def run_check(options: Options) -> int:
    """Check one corpus; 1 if it has errors."""
    from ser.data.check import check_corpus, show_check, write_check
    from ser.data.findings import Limits
    from ser.data.options import load_manifest

    manifest, info = load_manifest(options.config)
    check = check_corpus(manifest, Limits(**{str(key): value for key, value in options.own.check.items()}), info)
    write_check(check, options.out)
    sys.stdout.write(f"{show_check(check)}\n{options.out}\n")
    return int(not check.passed)


def run_explore(options: Options) -> int:
    """Write the page about one corpus."""
    from ser.data.explore import explore_corpus

    page = explore_corpus(options.config, options.out, **options.own.explore)
    sys.stdout.write(f"page: {page}\n{options.out}\n")
    return 0


def run_transcribe(options: Options) -> int:
    """Write the transcripts of one corpus."""
    from ser.data.transcribe import transcribe_corpus

    path, count = transcribe_corpus(options.config, options.out, **options.own.transcribe)
    sys.stdout.write(f"{count:,} clips transcribed; next: ser train dataset.texts={path}\n{options.out}\n")
    return 0


def run_fetch(options: Options) -> int:
    """Download one corpus, or say how to get it."""
    from ser.data.catalogue import find_class
    from ser.data.fetch import fetch_corpus
    from ser.data.options import load_manifest

    settings = options.config.dataset
    root = Path(settings.get("root") or ".")
    say = sys.stdout.write
    if fetch_corpus(find_class(settings._target_), options.name, root, say, **options.own.fetch):
        manifest, _ = load_manifest(options.config)
        say("".join(f"note: {note}\n" for note in manifest.notes))
        say(f"{len(manifest):,} clips of {len(manifest.speakers)} speakers are there; next: ser data check\n{root}\n")
    return 0
