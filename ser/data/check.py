"""``ser data check``: is this copy of a corpus sound, and what could a model cheat with?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ser.data.findings import Finding, Limits, find_defects
from ser.data.leaks import COLUMNS, RISK, find_leaks, measure_associations
from ser.data.probe import probe_clips
from ser.data.tables import (
    count_genders,
    count_properties,
    count_speakers,
    describe_seconds,
    describe_speakers,
    summarise_durations,
)
from ser.dataset.info import CorpusInfo
from ser.dataset.manifest import Manifest
from ser.report.blocks import show_range

#: Speakers that the printed table shows; ``check.json`` has all.
MOST_SPEAKERS = 30
#: Lines of one kind that are printed; ``check.json`` has all.
MOST_LINES = 20
HEADINGS = {
    "error": "Errors",
    "warning": "Warnings",
    "risk": "Leak risks",
    "note": "Notes",
}


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes:
        manifest: of the copy as it lies there.
        clips: its rows with the probe of every file.
        findings: in order of severity.
        associations: how much sentence, session, file properties tell of the emotion.
        limits: the thresholds used.
        info: what is published about the corpus.
    """

    manifest: Manifest
    clips: pd.DataFrame
    findings: Sequence[Finding]
    associations: pd.DataFrame
    limits: Limits
    info: CorpusInfo | None

    @property
    def usable(self) -> pd.DataFrame:
        """The clips that can be used."""
        return self.clips[self.clips["problem"] == ""]

    def select(self, severity: str) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def passed(self) -> bool:
        """No errors."""
        return not self.select("error")


def check_corpus(manifest: Manifest, limits: Limits | None = None, info: CorpusInfo | None = None) -> Check:
    """Read every file of a corpus and look for defects and leaks; files are only read.

    Args:
        manifest: the corpus.
        limits: thresholds (``None``: the defaults).
        info: what is published about it, for the record.
    """
    limits = limits or Limits()
    clips = probe_clips(manifest.frame)
    usable = clips[clips["problem"] == ""]
    associations = measure_associations(usable)
    findings = [*find_defects(clips, limits), *find_leaks(usable, associations)]
    findings += [Finding("copy", "note", note) for note in manifest.notes]
    order = list(HEADINGS)
    findings.sort(key=lambda finding: order.index(finding.severity))
    return Check(manifest, clips, findings, associations, limits, info)


def write_check(check: Check, folder: Path) -> None:
    """Write ``check.json`` and ``clips.csv`` (one row a clip: manifest, probe, and the kinds of findings on it)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "check.json").write_text(
        json.dumps(make_record(check), indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    kinds: dict[str, list[str]] = {}
    for finding in check.findings:
        for clip in finding.clips:
            kinds.setdefault(clip, []).append(finding.kind)
    named = check.clips["clip"].map(lambda clip: "; ".join(dict.fromkeys(kinds.get(clip, []))))
    check.clips.assign(findings=named).to_csv(folder / "clips.csv", index=False)


def make_record(check: Check) -> dict[str, Any]:
    """The check for programs."""
    counts = count_speakers(check.clips)
    return {
        "dataset": check.manifest.name,
        "passed": check.passed,
        "clips": len(check.clips),
        "usable": len(check.usable),
        "speakers": len(check.manifest.speakers),
        "seconds": round(float(check.usable["seconds"].sum()), 3),
        "published": asdict(check.info) if check.info else None,
        "errors": len(check.select("error")),
        "warnings": len(check.select("warning")),
        "risks": len(check.select("risk")),
        "findings": [asdict(finding) for finding in check.findings],
        "files": count_properties(check.clips),
        "durations": _to_records(summarise_durations(check.clips)),
        "class_by_speaker": _to_records(counts),
        "class_by_gender": _to_records(count_genders(check.clips)),
        "associations": _to_records(check.associations.set_index("column")),
        "limits": {**asdict(check.limits), "association": RISK},
    }


def show_check(check: Check) -> str:
    """The check for readers."""
    usable, seconds = check.usable, check.usable["seconds"]
    lines = [check.info.title if check.info else check.manifest.name]
    if check.info:
        lines += [f"licence   {check.info.licence}", f"citation  {check.info.citation}"]
    emotions = check.manifest.emotions
    total = describe_seconds(float(seconds.sum()))
    lines += [
        "",
        f"{len(check.clips):,} clips by {describe_speakers(check.clips)}, {len(emotions)} emotions, {total}",
        "",
        "Files",
    ]
    for name, levels in count_properties(check.clips).items():
        lines.append(f"  {COLUMNS[name]:<20}" + ", ".join(f"{level} × {count}" for level, count in levels.items()))
    if len(usable):
        lines.append(
            f"  {'duration':<20}{show_range(seconds.min(), seconds.max(), 2)} s, median {seconds.median():.2f} s"
        )
    lines += ["", *show_counts(check.clips), ""]
    for severity, heading in HEADINGS.items():
        found = check.select(severity)
        if found:
            lines += [f"{heading} ({len(found)})", *(f"  {finding.text}" for finding in found[:MOST_LINES])]
            if len(found) > MOST_LINES:
                lines.append(f"  … and {len(found) - MOST_LINES} more in check.json")
            lines.append("")
    if not check.select("risk"):
        columns = [COLUMNS[column] for column in check.associations["column"] if column != "speaker"]
        lines += [f"No leak risk found; looked at {', '.join(columns) or 'durations and speakers'}", ""]
    verdict = "sound" if check.passed else "NOT sound: unusable files or contradictory duplicates"
    return "\n".join([*lines, f"{check.manifest.name}: {verdict}"])


def show_counts(clips: pd.DataFrame) -> list[str]:
    """Clips by speaker and by gender, aligned; of many speakers a summary."""
    speakers = count_speakers(clips)
    lines = ["Clips by speaker and emotion"]
    if len(speakers) > MOST_SPEAKERS:
        spread = speakers.drop(columns="gender").agg(["min", "median", "max"]).astype(int)
        lines[0] += f" ({len(speakers)} speakers; all of them in check.json)"
        lines += _indent(spread)
    else:
        lines += _indent(speakers)
    return [*lines, "", "Clips by gender and emotion", *_indent(count_genders(clips))]


def _indent(table: pd.DataFrame) -> list[str]:
    text = table.rename_axis(index=None, columns=None).to_string()
    return [f"  {line}" for line in text.splitlines()]


def _to_records(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows by name; NaN becomes null."""
    return {
        str(name): {
            str(column): None if isinstance(value, float) and math.isnan(value) else value
            for column, value in row.items()
        }
        for name, row in table.astype(object).to_dict("index").items()
    }
