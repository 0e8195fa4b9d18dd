"""A design in words, and as ``statistics.json`` has it."""

from __future__ import annotations

import math
from typing import Any

from ser.statistics.choose import Choice, choose_method
from ser.statistics.design import Design

ROWS = {
    "cells": "scores of trained models on single speakers",
    "runs": "scores of runs",
    "table": "rows of the table",
}
UNITS = {"run_id": "runs", "model": "trained models", "": "rows"}


def describe(design: Design, choice: Choice | None = None) -> dict[str, Any]:
    """The design as plain values: keys of ``statistics.json["design"]``."""
    choice = choice or choose_method(design)
    factors = [
        {"name": name, "levels": levels, "kind": "within" if name in design.within else "between"}
        for name, levels in design.factors.items()
    ]
    return {
        "source": design.table.name,
        "response": design.response,
        "rows": design.rows,
        "n_rows": len(design.frame),
        "factors": factors,
        "unit": design.unit or None,
        "n_units": design.n_units,
        "n_speakers": design.n_speakers or None,
        "n_seeds": design.n_seeds,
        "speakers": count_speakers(design),
        "random": [":".join(term) for term in design.random],
        "blocks": list(design.blocks),
        "balanced": design.balanced,
        "cells": [{name: _plain(value) for name, value in row.items()} for row in design.counts.to_dict("records")],
        "empty_cells": design.empty_cells if design.factors else [],
        "deterministic": [dict(condition) for condition in design.deterministic],
        "failures": [{str(k): _plain(v) for k, v in row.items()} for row in design.table.failures.to_dict("records")],
        "n_duplicates": len(design.table.duplicates),
        "findings": [{"kind": own.kind, "severity": own.severity, "words": own.words} for own in design.findings],
        "method": choice.method,
        "reason": choice.reason,
    }


def explain(design: Design, choice: Choice | None = None) -> str:
    """The design as a reader is told it before anything is tested."""
    choice = choice or choose_method(design)
    lines = [f"Design: {len(design.frame)} {ROWS[design.rows]}, response {design.response}"]
    for name, levels in design.factors.items():
        place = f"{'within' if name in design.within else 'between'} {UNITS.get(design.unit, design.unit)}"
        lines.append(f"  {name}: {len(levels)} levels ({_shorten(levels)}), {place}")
    rows = design.counts["n_rows"]
    each = f"{rows.min()}" if rows.min() == rows.max() else f"{rows.min()} to {rows.max()}"
    lines.append(f"  {len(rows)} conditions with {each} rows each: {'balanced' if design.balanced else 'unbalanced'}")
    repeated = "runs" if design.rows != "table" else design.unit or design.seed or "rows"
    people = "; ".join(f"{count} speakers of {corpus}" for corpus, count in count_speakers(design).items())
    lines.append(
        f"  independent repeats ({repeated}): {design.n_seeds} a condition" + (f"; {people}" if people else "")
    )
    if design.random:
        lines.append(f"  alike because they share: {', '.join(':'.join(term) for term in design.random)}")
    marks = {"refuse": "refused", "warn": "warning", "note": "note"}
    lines += [f"  {marks[finding.severity]}: {finding.words}" for finding in design.findings]
    lines.append(f"Method: {choice.method}, because {choice.reason}" if choice.method != "none" else "Method: none")
    return "\n".join(lines)


def count_speakers(design: Design) -> dict[str, int]:
    """Test speakers of each corpus."""
    if design.rows == "cells":
        counts = design.frame.groupby("test_corpus")["speaker"].nunique()
        return {str(corpus): int(count) for corpus, count in counts.items()}
    return {"the table": design.n_speakers} if design.speaker else {}


def _shorten(levels: list[str]) -> str:
    shown = ", ".join(levels[:6])
    return shown if len(levels) <= 6 else f"{shown}, …"


def _plain(value: Any) -> Any:
    """Numbers and text that JSON knows; NaN becomes null."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
