"""A study's own number, found where a :class:`Place` says: in a table or a JSON file that a step left.

Rows are selected, and averaged over a unit if one is named: over speakers by resampling them, over anything else
(seeds, emotions, folds) with Student's t. A number that cannot be found has a reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ser.errors import InputError
from ser.results import read_json
from ser.statistics.bootstrap import bootstrap_speakers

#: Units whose mean is resampled.
PEOPLE = ("speaker", "person")
LEVEL = 0.95
#: Units that differ by less than this share of their mean are alike.
ALIKE = 1e-9


@dataclass(frozen=True)
class Place:
    """Where a number is.

    Attributes:
        step: of the study.
        file: in its folder: CSV, Parquet or JSON.
        value: column, or key.
        at: of JSON: keys with dots to a list of rows, or to a mapping.
        jobs: whether the file is in the folder of each job of a sweep; what a job varied are further columns.
        where: column → value, or list of values, of the rows that count.
        low, high: columns with the ends of the interval, where a row has one.
        units: what this interval is over, in words.
        over: column whose levels are the units of the mean.
        minus: ``where`` and ``value`` of what is taken off, unit by unit.
        times: the number is multiplied by this.
    """

    step: str
    value: str
    file: str = "metrics.json"
    at: str = ""
    jobs: bool = False
    where: Mapping[str, Any] = field(default_factory=dict)
    low: str = ""
    high: str = ""
    units: str = "speakers"
    over: str = ""
    minus: Mapping[str, Any] = field(default_factory=dict)
    times: float = 1.0

    def describe(self) -> str:
        """In words."""
        words = f"{self.step}: {self.file}{f', {self.at}' if self.at else ''}, {self.value}"
        words += f" ({tell(self.where)})" if self.where else ""
        if self.minus:
            words += f" less {' '.join(filter(None, (self.minus.get('value'), tell(self.minus.get('where', {})))))}"
        return words + (f", mean over {self.over}s" if self.over else "")


@dataclass(frozen=True)
class Obtained:
    """A number with its 95 % interval, or the reason why there is none; without interval ``low`` and ``high`` are NaN.

    Attributes:
        value, low, high: the number.
        units: what the interval is over, in words.
        reason: there is no number.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    units: str = ""
    reason: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.value)

    @property
    def bounded(self) -> bool:
        """Whether it has an interval."""
        return self.known and math.isfinite(self.low) and math.isfinite(self.high)


def tell(where: Mapping[str, Any]) -> str:
    """Columns and their values in words."""
    levels = {key: value if isinstance(value, list) else [value] for key, value in where.items()}
    return ", ".join(f"{key} {' or '.join(map(str, each))}" for key, each in levels.items())


def obtain(place: Place, folder: str) -> Obtained:
    """The number at a place, in the folder that its step left.

    Raises:
        InputError: the place names a column, or rows, that the file does not have.
    """
    rows = read_rows(place, Path(folder))
    if rows is None:
        return Obtained(reason=f"{place.file} is not there")
    chosen = select(rows, place.where, place)
    if not len(chosen):
        return Obtained(reason=f"no row with {tell(place.where)}")
    values = read_values(chosen, place.value, place)
    if place.minus:
        other = select(rows, {**place.where, **place.minus.get("where", {})}, place)
        less = read_values(other, place.minus.get("value", place.value), place)
        return subtract(values, chosen, less, other, place)
    if place.over:
        return average(values, find_units(chosen, place), place)
    if len(values) > 1:
        raise InputError(f"{place.describe()}: {len(values)} rows", remedy="a narrower where, or over: <unit>")
    low, high = (
        float(read_values(chosen, name, place).iloc[0]) if name else math.nan for name in (place.low, place.high)
    )
    return finish(float(values.iloc[0]), low, high, place.units if place.low else "", place)


def read_rows(place: Place, folder: Path) -> pd.DataFrame | None:
    """Rows of the file, of all jobs where it is theirs; ``None`` where there is no such file."""
    if not place.jobs:
        return read_table(folder / place.file, place.at)
    tables = []
    for job in read_json(folder / "sweep.json").get("jobs", []):
        table = read_table(folder / job["run_dir"] / place.file, place.at)
        if table is not None:
            varied = {key: value for key, value in job["overrides"].items() if key not in table}
            tables.append(table.assign(**varied, job=job["job"]))
    return pd.concat(tables, ignore_index=True) if tables else None


def read_table(path: Path, at: str) -> pd.DataFrame | None:
    """A file as rows; a JSON mapping is one row. Predictions have a further column ``correct``."""
    if not path.is_file():
        return None
    if path.suffix in (".csv", ".parquet"):
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        answered = {"true", "predicted"} <= set(table) and "correct" not in table
        return table.assign(correct=table["true"] == table["predicted"]) if answered else table
    content = json.loads(path.read_text(encoding="utf-8"))
    for key in filter(None, at.split(".")):
        content = content.get(key) if isinstance(content, dict) else None
    if not content:
        return None
    return pd.DataFrame([content] if isinstance(content, dict) else content)


def select(rows: pd.DataFrame, where: Mapping[str, Any], place: Place) -> pd.DataFrame:
    """Rows whose columns have these values."""
    kept = np.ones(len(rows), dtype=bool)
    for column, wanted in where.items():
        if column not in rows:
            raise InputError(f"{place.describe()}: no column {column}", expected=", ".join(map(str, rows.columns)))
        levels = wanted if isinstance(wanted, list) else [wanted]
        kept &= rows[column].map(lambda found, levels=levels: any(agree(found, level) for level in levels)).to_numpy()
    return rows[kept]


def agree(found: Any, level: Any) -> bool:
    """Whether a cell has a value: numbers as numbers, nothing as null, the rest as text."""
    if level is None:
        return found is None or found != found
    try:
        return float(found) == float(level)
    except (TypeError, ValueError):
        return str(found).lower() == str(level).lower() if isinstance(level, bool) else str(found) == str(level)


def read_values(rows: pd.DataFrame, column: str, place: Place) -> pd.Series:
    """Numbers of a column."""
    if column not in rows:
        raise InputError(f"{place.describe()}: no column {column}", expected=", ".join(map(str, rows.columns)))
    return pd.to_numeric(rows[column], errors="coerce").astype(float)


def find_units(rows: pd.DataFrame, place: Place) -> pd.Series:
    """The unit of each row."""
    if place.over not in rows:
        raise InputError(f"{place.describe()}: no column {place.over}", expected=", ".join(map(str, rows.columns)))
    return rows[place.over].astype(str)


def subtract(values: pd.Series, rows: pd.DataFrame, less: pd.Series, other: pd.DataFrame, place: Place) -> Obtained:
    """Differences of units that both have; of two single numbers without interval."""
    if not place.over:
        if len(values) != 1 or len(less) != 1:
            raise InputError(f"{place.describe()}: several rows", remedy="over: <unit>")
        return finish(float(values.iloc[0] - less.iloc[0]), math.nan, math.nan, "", place)
    ours, theirs = (
        numbers.groupby(find_units(table, place).to_numpy()).mean()
        for numbers, table in ((values, rows), (less, other))
    )
    gaps = (ours - theirs).dropna()
    return average(gaps, pd.Series(gaps.index, index=gaps.index), place)


def average(values: pd.Series, units: pd.Series, place: Place) -> Obtained:
    """Mean over units with its interval; NaN limits with one unit, or where all are alike: that says nothing of others.

    A model without chance in it is the same for every seed.
    """
    means = values.groupby(units.to_numpy()).mean().dropna().to_numpy()
    if not len(means):
        return Obtained(reason=f"{place.value} is not defined there")
    mean, count = float(means.mean()), len(means)
    words = f"{count} {place.over.removesuffix('_id')}{'s' if count > 1 else ''}"
    if count < 2 or np.ptp(means) <= ALIKE * abs(mean):
        return finish(mean, math.nan, math.nan, words + (", all alike" if count > 1 else ""), place)
    if place.over in PEOPLE:
        low, high = bootstrap_speakers(means, level=LEVEL).ci
        return finish(mean, low, high, words, place)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, count - 1) * means.std(ddof=1) / math.sqrt(count))
    return finish(mean, mean - reach, mean + reach, words, place)


def finish(value: float, low: float, high: float, units: str, place: Place) -> Obtained:
    """In the unit of the published number."""
    if not math.isfinite(value):
        return Obtained(reason=f"{place.value} is not defined there")
    ends = (
        sorted((low * place.times, high * place.times)) if math.isfinite(low) and math.isfinite(high) else [low, high]
    )
    return Obtained(value * place.times, ends[0], ends[1], units)
