"""Results as files: ``statistics.json``, the rows they come from, and every table as CSV, Markdown and LaTeX.

``sheets`` is what a table is made of, ``layout`` makes the tables of ``statistics.json``, ``markup`` writes them down,
``numbers`` shows numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser.results import read_json
from ser.statistics.export.layout import lay_out
from ser.statistics.export.markup import write_latex, write_markdown
from ser.statistics.export.sheets import Sheet
from ser.statistics.records import to_json

__all__ = ["lay_out", "read_statistics", "write_statistics"]

#: Where a sweep's folder keeps its statistics.
FOLDER = "statistics"
RESULTS, ROWS, TABLES, SUMMARY = "statistics.json", "rows.csv", "tables", "statistics.md"
#: Columns of the rows that are numbers beside the response; all others are names (a speaker is 03, not 3).
NUMBERS = ("fitted", "residual")


def write_statistics(folder: Path, statistics: Mapping[str, Any], rows: pd.DataFrame | None = None) -> list[Path]:
    """Write results into a folder, over those of an earlier analysis.

    Args:
        folder: made if it is not there.
        statistics: see ``docs/statistics.md`` for its keys.
        rows: the rows that were analysed, with ``fitted`` and ``residual`` of the primary model where there are.

    Returns:
        The files: ``statistics.json``, ``statistics.md``, ``rows.csv`` and ``tables/<table>.csv``, ``.md``, ``.tex``.
    """
    tables = Path(folder) / TABLES
    tables.mkdir(parents=True, exist_ok=True)
    for old in (path for suffix in (".csv", ".md", ".tex") for path in tables.glob(f"*{suffix}")):
        old.unlink()
    known = to_json(dict(statistics))
    sheets = lay_out(known)
    written = [
        _write(folder / RESULTS, json.dumps(known, indent=2, ensure_ascii=False, allow_nan=False) + "\n"),
        _write(folder / SUMMARY, summarise(known, sheets)),
    ]
    if rows is not None:
        rows.to_csv(folder / ROWS, index=False)
        written.append(folder / ROWS)
    for sheet in sheets:
        pd.DataFrame(sheet.raw).dropna(axis=1, how="all").to_csv(tables / f"{sheet.name}.csv", index=False)
        written += [
            tables / f"{sheet.name}.csv",
            _write(tables / f"{sheet.name}.md", write_markdown(sheet)),
            _write(tables / f"{sheet.name}.tex", write_latex(sheet)),
        ]
    return written


def read_statistics(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """What :func:`write_statistics` wrote: results and rows (none where they are not there)."""
    statistics = read_json(Path(folder) / RESULTS)
    path = Path(folder) / ROWS
    if not statistics or not path.is_file():
        return statistics, pd.DataFrame()
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    response = (statistics.get("design") or {}).get("response")
    numbers: dict[str, pd.Series] = {
        str(name): pd.to_numeric(rows[name], errors="coerce") for name in (response, *NUMBERS) if name in rows
    }
    return statistics, rows.assign(**numbers)


def summarise(statistics: Mapping[str, Any], sheets: Sequence[Sheet]) -> str:
    """The whole analysis in Markdown: conclusion and caveats first, then every table, then the methods."""
    parts = ["# Statistics", " ".join(statistics.get("conclusion") or [])]
    caveats = statistics.get("caveats") or []
    parts += ["## Caveats", "\n".join(f"- {caveat}" for caveat in caveats)] if caveats else []
    titles = {"design": "Design", "evidence": "Evidence", "checks": "Checks", "appendix": "Appendix"}
    for part, title in titles.items():
        own = [write_markdown(sheet).strip() for sheet in sheets if sheet.part == part]
        parts += [f"## {title}", *own] if own else []
    parts += ["## Methods", str(statistics["methods"])] if statistics.get("methods") else []
    return "\n\n".join(part for part in parts if part) + "\n"


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
