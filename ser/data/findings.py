"""What is wrong with the files of a corpus copy, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from ser.data.tables import PROPERTIES
from ser.report.blocks import count_things

#: Clips that a line names; files and ``check.json`` name all of them.
NAMED = 8
#: Digital zeros at the ends, in s, from which on a clip counts as padded.
PADDED = 0.05


@dataclass(frozen=True)
class Limits:
    """Thresholds of the check; see ``conf/data.yaml``."""

    shortest: float = 0.5
    longest: float = 30.0
    clipped_runs: int = 3
    clipped_share: float = 0.001


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        kind: short name, e.g. ``unusable``, ``duplicate``.
        severity: ``error`` (the check fails), ``warning``, ``risk`` (a way for the emotion to leak) or ``note``.
        text: what was found, in words.
        clips: those concerned; empty if it is about the whole corpus.
    """

    kind: str
    severity: str
    text: str
    clips: tuple[str, ...] = ()


def find_defects(clips: pd.DataFrame, limits: Limits) -> list[Finding]:
    """Everything wrong with single files, and audio that is there twice.

    Args:
        clips: what :func:`ser.data.probe.probe_clips` returned.
        limits: thresholds.
    """
    usable = clips[clips["problem"] == ""]
    return [
        *find_unusable(clips),
        *find_duplicates(usable),
        *find_clipped(usable, limits),
        *find_odd_lengths(usable, limits),
        *find_odd_files(usable),
        *find_padding(usable),
        *find_gaps(clips),
    ]


def find_unusable(clips: pd.DataFrame) -> Iterator[Finding]:
    """One error a file that cannot be used, with its reason."""
    bad = clips[clips["problem"] != ""]
    for clip, path, problem in zip(bad["clip"], bad["path"], bad["problem"], strict=True):
        yield Finding("unusable", "error", f"{path}: {problem}", (clip,))


def find_duplicates(usable: pd.DataFrame) -> Iterator[Finding]:
    """Groups of clips with the same audio; an error where they do not agree in emotion."""
    twice = usable[usable.duplicated("digest", keep=False)]
    for _, group in twice.groupby("digest", sort=False):
        clips = tuple(group["clip"])
        text = f"the same audio {len(group)} times: {name_some(clips)}"
        emotions, speakers = sorted(group["emotion"].dropna().unique()), sorted(group["speaker"].unique())
        parts = sorted(group["split"].dropna().unique())
        if len(speakers) > 1:
            text += f"; under {len(speakers)} speakers ({name_some(speakers)}), so splits by speaker do not separate it"
        if len(parts) > 1:
            text += f"; in the published parts {' and '.join(parts)}"
        if len(emotions) > 1:
            yield Finding("duplicate", "error", f"{text}; with different labels: {', '.join(emotions)}", clips)
        else:
            yield Finding("duplicate", "risk" if len(speakers) > 1 or len(parts) > 1 else "warning", text, clips)


def find_clipped(usable: pd.DataFrame, limits: Limits) -> Iterator[Finding]:
    """Clips whose peaks were cut off."""
    cut = (usable["runs"] >= limits.clipped_runs) | (usable["full_scale"] >= limits.clipped_share)
    group = usable[cut].sort_values(["runs", "full_scale"], ascending=False)
    if len(group):
        worst = group.iloc[0]
        yield Finding(
            "clipped",
            "warning",
            f"{count_things(len(group), 'clip')} clipped ({limits.clipped_runs} or more runs of 3 equal samples at the "
            f"clip's own extreme, or {limits.clipped_share:.1%} of the samples at full scale): "
            f"{name_some(group['clip'])}; the worst has {int(worst['runs'])} runs and "
            f"{worst['full_scale']:.2%} at full scale",
            tuple(group["clip"]),
        )


def find_odd_lengths(usable: pd.DataFrame, limits: Limits) -> Iterator[Finding]:
    """Very short and very long clips."""
    short, long = usable["seconds"] < limits.shortest, usable["seconds"] > limits.longest
    for kind, which, bound in (
        ("short", short, f"below {limits.shortest:g}"),
        ("long", long, f"above {limits.longest:g}"),
    ):
        group = usable[which].sort_values("seconds", ascending=kind == "short")
        if len(group):
            seconds = dict(zip(group["clip"], group["seconds"], strict=True))
            shown = name_some([f"{clip} ({value:.2f} s)" for clip, value in seconds.items()])
            text = f"{count_things(len(group), 'clip')} very {kind} ({bound} s): {shown}"
            yield Finding(kind, "warning", text, tuple(group["clip"]))


def find_odd_files(usable: pd.DataFrame) -> Iterator[Finding]:
    """Files whose rate, channels or coding are not those of most, and those with 8 bits a sample."""
    for column, show in PROPERTIES.items():
        counts = usable[column].value_counts()
        if len(counts) > 1:
            odd = usable[usable[column] != counts.index[0]]
            shown = "; ".join(
                f"{show.format(level)} in {count}: {name_some(odd.loc[odd[column] == level, 'clip'], 4)}"
                for level, count in list(counts.items())[1:6]
            )
            more = f"; and {len(counts) - 6} more levels" if len(counts) > 6 else ""
            usual = show.format(counts.index[0])
            text = f"{len(odd)} of {len(usable)} clips differ from the others' {usual}: {shown}{more}"
            yield Finding(f"mixed {column}", "warning", text, tuple(odd["clip"]))
    coarse = usable[usable["coding"].str.endswith(("_8", "_U8", "_S8"))]
    if len(coarse):
        text = f"{count_things(len(coarse), 'clip')} with 8 bits a sample (audible noise): {name_some(coarse['clip'])}"
        yield Finding("8 bit", "warning", text, tuple(coarse["clip"]))


def find_padding(usable: pd.DataFrame) -> Iterator[Finding]:
    """Clips with digital zeros at their ends: no recording has them, somebody padded or cut."""
    group = usable[usable["zeros"] >= PADDED]
    if len(group):
        text = (
            f"{count_things(len(group), 'clip')} with digital zeros at the ends ({PADDED * 1000:.0f} ms or more, "
            f"median {group['zeros'].median():.2f} s): {name_some(group['clip'], 4)}"
        )
        yield Finding("padded", "warning" if len(group) > 0.05 * len(usable) else "note", text, tuple(group["clip"]))


def find_gaps(clips: pd.DataFrame) -> Iterator[Finding]:
    """Missing transcripts and other facts about clips."""
    for column, what in (("text", "transcript"), ("gender", "gender of the speaker"), ("sentence", "sentence id")):
        missing = clips[clips[column].isna() | (clips[column].astype(str).str.strip() == "")]
        if len(missing) == len(clips):
            yield Finding(f"no {column}", "note", f"no clip has a {what}")
        elif len(missing):
            text = f"{len(missing)} of {len(clips)} clips without {what}: {name_some(missing['clip'], 4)}"
            yield Finding(f"no {column}", "warning", text, tuple(missing["clip"]))


def name_some(names: Sequence[str] | pd.Series, most: int = NAMED) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")
