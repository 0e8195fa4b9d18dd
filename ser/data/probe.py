"""What is in each file: header, level, clipping, padding, a hash of the content; or why it cannot be used."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile

from ser.audio.inspect import count_cores, hash_waveform
from ser.audio.prepare import SILENCE, BadAudio, decode
from ser.progress import show_progress

#: Consecutive equal samples at a clip's extreme that count as a clipped run.
RUN = 3
BITS = re.compile(r"(?:PCM_[SU]?|ALAC_)(\d+)")


class Probe(NamedTuple):
    """One clip.

    Attributes:
        problem: why it cannot be used; empty if it can.
        rate: in Hz, as the header states it (NaN: no header).
        channels: of the file.
        container: e.g. ``WAV``, ``FLAC``.
        coding: e.g. ``PCM_16``.
        seconds: of the clip.
        digest: hash over its mono samples at the file's rate, digital zeros at both ends left out.
        peak: largest absolute sample; full scale is 1.
        level: root mean square in dB relative to full scale.
        full_scale: share of samples at (or beyond) full scale.
        runs: runs of three or more equal samples at the clip's own highest or lowest value.
        zeros: s of digital zeros at the two ends.
    """

    problem: str
    rate: float = np.nan
    channels: float = np.nan
    container: str = ""
    coding: str = ""
    seconds: float = np.nan
    digest: str = ""
    peak: float = np.nan
    level: float = np.nan
    full_scale: float = np.nan
    runs: int = 0
    zeros: float = np.nan


def probe_clips(frame: pd.DataFrame) -> pd.DataFrame:
    """Probe every clip of a manifest's frame; its rows with the probes' columns added."""
    places = list(zip(frame["path"], frame["start"], frame["end"], strict=True))
    found: list[Probe] = []
    with ThreadPoolExecutor(count_cores()) as pool, show_progress("reading", len(places)) as advance:
        for probe in pool.map(lambda place: probe_clip(*place), places):
            found.append(probe)
            advance(1)
    table = pd.DataFrame(found, columns=Probe._fields, index=frame.index)
    clash = [column for column in table if column in frame]
    return frame.drop(columns=clash).join(table)


def probe_clip(path: str, start: float = np.nan, end: float = np.nan) -> Probe:
    """Probe one clip; ``start`` and ``end`` in s, NaN for the file's own."""
    header = read_header(path)
    try:
        samples, rate = decode(path, *(None if pd.isna(time) else float(time) for time in (start, end)))
    except BadAudio as problem:
        return header._replace(problem=explain_undecodable(path, str(problem)))
    header = header._replace(seconds=len(samples) / rate)
    strange = int((~np.isfinite(samples)).any(axis=1).sum())
    if strange:
        return header._replace(problem=f"non-finite samples (NaN or infinity): {strange:,} of {len(samples):,}")
    mono = samples.mean(axis=1)
    peak = float(np.abs(samples).max())
    level = float(10 * np.log10(max(np.mean(np.square(mono, dtype=np.float64)), 1e-20)))
    if np.ptp(mono) < SILENCE:
        return header._replace(problem="silent (all samples alike, below -80 dBFS)", peak=peak, level=level)
    sounding = np.flatnonzero(mono)
    first, last = sounding[0], sounding[-1] + 1
    return header._replace(
        digest=hash_waveform(np.ascontiguousarray(mono[first:last]), rate),
        peak=peak,
        level=level,
        full_scale=float(np.mean(np.abs(samples) >= find_full_scale(header.coding))),
        runs=max(count_runs(channel) for channel in samples.T),
        zeros=(len(mono) - (last - first)) / rate,
    )


def read_header(path: str) -> Probe:
    """The probe as far as the header goes; empty if there is none."""
    try:
        info = soundfile.info(path)
    except (soundfile.SoundFileError, OSError):
        return Probe("")
    return Probe("", info.samplerate, info.channels, info.format, info.subtype, info.duration)


def explain_undecodable(path: str, problem: str) -> str:
    """The reason, said more plainly where the first bytes show what the file is."""
    if not problem.startswith("cannot be decoded"):
        return problem
    with Path(path).open("rb") as file:
        start = file.read(256)
    if not start:
        return "zero bytes"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the audio itself (git lfs pull)"
    if all(byte >= 32 or byte in b"\t\n\r" for byte in start) and not start.startswith((b"RIFF", b"fLaC")):
        return f"text, not audio: it begins {start[:24].decode('utf-8', 'replace')!r}"
    return problem


def find_full_scale(coding: str) -> float:
    """The largest positive sample of a coding: 1 minus one step of its integers, 1 for floats and lossy codings."""
    bits = BITS.match(coding)
    return 1 - 2.0 ** (1 - int(bits[1])) if bits else 1.0


def count_runs(samples: np.ndarray) -> int:
    """Runs of :data:`RUN` or more equal samples at the highest or the lowest value [T]."""
    found = 0
    for extreme in (samples.max(), samples.min()):
        places = np.flatnonzero(samples == extreme)
        if len(places) >= RUN:
            lengths = np.diff(np.flatnonzero(np.diff(places, prepend=-2, append=np.iinfo(places.dtype).max) > 1))
            found += int((lengths >= RUN).sum())
    return found
