"""Designs, fits and plans in words, for the pages about statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser.judge import TITLES
from ser.report.blocks import Facts, count_things
from ser.statistics.export.layout import read_levels

UNITS = {"run_id": "run", "model": "trained model"}
SOURCES = {
    "cells": "scores of trained models on single speakers",
    "runs": "scores of runs",
    "table": "rows of a table",
}


def name_score(design: Mapping[str, Any]) -> str:
    """The response as the page's other parts name it."""
    response = str(design.get("response") or "the score")
    return TITLES.get(response, response)


def tell_design(statistics: Mapping[str, Any]) -> list[Any]:
    """What was compared, on how much, and how it was analysed."""
    design = statistics.get("design") or {}
    facts = [
        ("Response", name_score(design)),
        *tell_factors(design),
        ("Rows", tell_rows(design)),
        ("Speakers", tell_counts(design.get("speakers") or design.get("n_speakers"))),
        ("Alike because they share", ", ".join(map(tell_group, design.get("random") or []))),
        ("Balanced", {True: "yes", False: "no"}.get(bool(design["balanced"]), "") if "balanced" in design else ""),
        ("Empty cells", "; ".join(map(tell_levels, design.get("empty_cells") or []))),
        ("Failed jobs", tell_counts(len(design.get("failures") or []))),
        ("Repeated jobs", tell_counts(design.get("n_duplicates"))),
        ("Method", " – ".join(filter(None, tell_method(statistics)))),
    ]
    return [Facts([(term, text) for term, text in facts if text])] if design else []


def tell_factors(design: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A fact a factor: its levels, and whether it varies within a unit."""
    within = {str(row["name"]) for row in design.get("factors") or [] if _is_within(row)} | set(
        design.get("within") or []
    )
    unit = UNITS.get(str(design.get("unit")), str(design.get("unit") or ""))
    return [
        (
            f"Factor {name}",
            ", ".join(levels) + (f" ({'within' if name in within else 'between'} {unit})" if unit else ""),
        )
        for name, levels in read_levels(design).items()
    ]


def tell_rows(design: Mapping[str, Any]) -> str:
    """How many rows of what."""
    number, kind = design.get("n_rows"), design.get("rows")
    if number is None:
        return tell_counts(kind)
    unit = UNITS.get(str(design.get("unit")), str(design.get("unit") or ""))
    units = f", from {count_things(design['n_units'], unit)}" if unit and design.get("n_units") else ""
    return f"{number:,} {SOURCES.get(str(kind), 'rows')}{units}"


def tell_method(statistics: Mapping[str, Any]) -> tuple[str, str]:
    """Name of the method, and the reason for it."""
    method, design = statistics.get("method"), statistics.get("design") or {}
    if isinstance(method, Mapping):
        return str(method.get("name") or method.get("method") or ""), str(method.get("reason") or "")
    return str(method or design.get("method") or ""), str(design.get("reason") or "")


def tell_counts(value: Any) -> str:
    """A count, counts by name, or nothing for none."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {number}" for name, number in value.items())
    return f"{value:,}" if isinstance(value, int) and value else str(value or "")


def tell_group(group: Any) -> str:
    """``speaker:arch`` from its parts or as it is."""
    return group if isinstance(group, str) else ":".join(map(str, group))


def tell_levels(cell: Any) -> str:
    """``arch=cnn, pft=none``."""
    return ", ".join(f"{name}={level}" for name, level in cell.items()) if isinstance(cell, Mapping) else str(cell)


def tell_needs(power: Any) -> list[str]:
    """How many seeds or speakers the smallest effect of interest needs."""
    if not isinstance(power, Mapping) or "effect" not in power:
        return []
    aim = f"To detect a difference of {power['effect']:g} with {100 * power['power']:.0f} % power"
    seeds = [
        f"{aim} {f'on {speakers} speakers' if speakers != '0' else 'on these speakers'}, "
        + (f"{count:,} seeds a condition are needed." if count else "no number of seeds is enough.")
        for speakers, count in (power.get("seeds_needed") or {}).items()
    ]
    return seeds + [
        f"{aim} by {count_things(int(seeds), 'seed')} a condition, "
        + (f"{count:,} speakers are needed." if count else "no number of speakers is enough.")
        for seeds, count in (power.get("speakers_needed") or {}).items()
    ]


def tell_fit(fit: Mapping[str, Any]) -> str:
    """Flags of a mixed model in words."""
    words = [
        "converged" if fit.get("converged") else "did not converge",
        "singular" if fit.get("singular") else "",
        "separated" if fit.get("separated") else "",
        f"log-likelihood {fit['loglik']:.2f}" if isinstance(fit.get("loglik"), float) else "",
        ", ".join(f"{number:,} of {group}" for group, number in (fit.get("groups") or {}).items()),
        f"left out: {', '.join(fit['dropped'])}" if fit.get("dropped") else "",
    ]
    return "; ".join(word for word in [*words, *(fit.get("notes") or [])] if word)


def flatten_environment(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Software and settings, those below a name on one line."""
    return [
        (
            str(name),
            ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, Mapping) else str(value),
        )
        for name, value in environment.items()
        if value not in (None, "", {}, [])
    ]


def _is_within(row: Any) -> bool:
    return isinstance(row, Mapping) and row.get("kind") == "within"
