"""What it was learnt and tested on: sizes, licence and source of each corpus, and what was left out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ser.dataset.described import UNKNOWN_LICENCE, Described
from ser.report.blocks import Cell, Facts, Items, Section, Table, Text, count_things, make_count, make_number
from ser.report.collect import Run, Sweep


def build_data(sweep: Sweep) -> Section | None:
    """A table of sizes, facts of each corpus, what is missing; nothing where no run got as far as its data."""
    return show_data(sweep.done)


def show_data(runs: Sequence[Run]) -> Section | None:
    """The same for runs of any number of sweeps."""
    corpora = list_corpora(runs)
    if not corpora:
        names = dict.fromkeys(str(name) for run in runs for name in run.predictions["dataset"].unique())
        return Section("data", "Data", [Facts([("Dataset", ", ".join(names))])]) if names else None
    facts = [block for each in first_of_each(corpora) for block in describe_corpus(each, runs)]
    left = list(dict.fromkeys(item for run in runs for item in list_missing(run)))
    missing = [Text("What was left out, and why:"), Items([(item, "") for item in left])] if left else []
    return Section("data", "Data", [tabulate_corpora(corpora, runs), *facts, *missing])


def list_corpora(runs: Sequence[Run]) -> list[Described]:
    """Corpora as runs read them, by name; twice where runs read different clips of one."""
    found: list[Described] = []
    for run in runs:
        found += [each for each in run.corpora if each not in found]
    return sorted(found, key=lambda each: (each.name, -each.clips))


def first_of_each(corpora: Sequence[Described]) -> list[Described]:
    """One of each name."""
    return list({each.name: each for each in reversed(corpora)}.values())[::-1]


def tabulate_corpora(corpora: Sequence[Described], runs: Sequence[Run]) -> Table:
    """A row a corpus; clips by emotion where emotions were named."""
    emotional = any(not run.dimensions for run in runs)
    emotions = sorted({name for each in corpora for name in each.emotions}) if emotional else []
    roles = {each.name: tell_role(each.name, runs) for each in corpora}
    languages = any(each.language for each in corpora)
    columns = ["corpus", *(["used for"] if any(roles.values()) else []), *(["language"] if languages else [])]
    rows = [
        [
            Cell(each.name, each.name),
            *([Cell(roles[each.name], roles[each.name])] if any(roles.values()) else []),
            *([Cell(each.language, each.language)] if languages else []),
            *(make_count(number) for number in (each.clips, each.speakers)),
            make_number(each.hours, 2),
            *(make_count(each.emotions.get(name, 0)) for name in emotions),
        ]
        for each in corpora
    ]
    caption = "Clips that runs used, by emotion." if emotions else "Clips that runs used."
    return Table([*columns, "clips", "speakers", "hours", *emotions], rows, caption)


def tell_role(name: str, runs: Sequence[Run]) -> str:
    """What a corpus of several was used for."""
    trained, tested = any(name in run.trained for run in runs), any(name in run.tested for run in runs)
    return " and ".join(["training"] * trained + ["test"] * tested)


def describe_corpus(each: Described, runs: Sequence[Run]) -> list[Text | Facts]:
    """What is published of a corpus, and who speaks in it."""
    listeners = {run.dataset.get("human_uar", {}).get(each.name) for run in runs if not run.dimensions} - {None}
    genders = ", ".join(f"{number} {name}" for name, number in each.gender.items())
    sizes = ", ".join([count_things(each.clips, "clip"), count_things(each.speakers, "speaker")])
    facts = [
        ("Dataset", f"{each.name}: {sizes}{f' ({genders})' if genders else ''}"),
        ("Licence", each.licence or UNKNOWN_LICENCE),
        ("Cite", each.citation),
        ("From", each.url),
        ("Listeners", ", ".join(f"UAR {value:.2f}" for value in sorted(listeners))),
    ]
    return [Text(each.title or each.name, "heading"), Facts([fact for fact in facts if fact[1]])]


def list_missing(run: Run) -> Iterator[str]:
    """What a run left out, as its configuration and its notes on the data say."""
    settings = run.config.get("dataset") or {}
    if settings.get("emotions"):
        yield f"emotions other than {', '.join(map(str, settings['emotions']))} (dataset.emotions)"
    if settings.get("merge"):
        merged = ", ".join(f"{name} counts as {other}" for name, other in settings["merge"].items())
        yield f"nothing, but names changed: {merged} (dataset.merge)"
    for key, reason in (("skipped", "whose audio could not be used"), ("excluded", "for their duration")):
        if run.dataset.get(key):
            yield f"{count_things(int(run.dataset[key]), 'clip')} {reason}"
    yield from (str(note) for note in run.dataset.get("notes") or ())
