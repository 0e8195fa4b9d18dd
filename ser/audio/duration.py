"""Duration policies: one length for all, windows, or a range outside which clips are left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser.audio.prepare import OutOfRange, Prepared
from ser.errors import InputError


@dataclass(frozen=True)
class Fixed:
    """One length for all: shorter clips are padded with zeros, longer ones cut.

    ``Prepared.begin`` and ``Prepared.valid`` tell the clip from its padding.

    Args:
        seconds: the length.
        pad: where the zeros go: ``start``, ``end`` or ``both`` (an odd one goes to the end).
        keep: which part of a longer clip remains: ``start``, ``centre`` or ``end``.
    """

    seconds: float
    pad: str = "end"
    keep: str = "start"

    def __post_init__(self) -> None:
        check_seconds("seconds", self.seconds)
        if self.pad not in ("start", "both", "end"):
            raise InputError(f"audio.duration.pad={self.pad}", expected="start, both or end")
        if self.keep not in ("start", "centre", "end"):
            raise InputError(f"audio.duration.keep={self.keep}", expected="start, centre or end")

    def apply(self, clip: Prepared) -> Prepared:
        """The clip at the length."""
        missing = round(self.seconds * clip.rate) - len(clip.waveform)
        if missing < 0:
            first = {"start": 0, "centre": -missing // 2, "end": -missing}[self.keep]
            return clip.crop(first, first + len(clip.waveform) + missing)
        before = {"start": missing, "both": missing // 2, "end": 0}[self.pad]
        return clip.pad(before, missing - before) if missing else clip


@dataclass(frozen=True)
class Range:
    """Leave out clips that are shorter or longer than asked for; on request that is no fault of theirs.

    Args:
        shortest: in s.
        longest: in s, ``None`` for no limit.
    """

    shortest: float = 0.0
    longest: float | None = None

    def __post_init__(self) -> None:
        if self.shortest < 0:
            raise InputError(f"audio.duration.shortest={self.shortest}", expected="s, at least 0")
        if self.longest is not None and self.longest <= self.shortest:
            raise InputError(f"audio.duration.longest={self.longest}", expected=f"more than {self.shortest} s, or null")

    def apply(self, clip: Prepared) -> Prepared:
        """The clip as it is, or OutOfRange."""
        seconds = clip.valid / clip.rate
        if seconds < self.shortest:
            raise OutOfRange(f"{seconds:.3f} s, shorter than {self.shortest} s")
        if self.longest is not None and seconds > self.longest:
            raise OutOfRange(f"{seconds:.3f} s, longer than {self.longest} s")
        return clip


@dataclass(frozen=True)
class Chunk:
    """Each clip in windows of one length, each a row of its own; predictions are put together by ``source``.

    A waveform cannot become several, so whoever reads the corpus makes the rows, once per corpus::

        clips = inspect_clips(manifest.frame, replace(preparation, duration=None), rate)
        manifest, clips = drop_bad_clips(manifest, clips, on_bad_audio)
        frame = expand_chunks(manifest.frame, clips, rate, preparation.duration)   # rows with start, end and source
        preparation = replace(preparation, trim=None)   # the windows already lie within the trimmed clip
        clips = inspect_clips(frame, preparation, rate)

    and from there on every row is an ordinary clip. A row longer than a window is refused, so that the policy cannot be
    chosen without effect. Each window is brought to the target loudness by itself. Windows of a clip share its speaker;
    a split by anything else must group by ``source``. The vote is the mean of the probabilities over the rows of a
    source (or the majority of their emotions): one row of predictions.parquet for each source.

    Args:
        seconds: length of a window.
        hop: from one window to the next, in s.
    """

    seconds: float
    hop: float

    def __post_init__(self) -> None:
        check_seconds("seconds", self.seconds)
        if not 0 < self.hop <= self.seconds:
            raise InputError(f"audio.duration.hop={self.hop}", expected=f"above 0 s and at most {self.seconds} s")

    def apply(self, clip: Prepared) -> Prepared:
        """The window as it is; InputError for a clip that was not divided."""
        if clip.valid > self.seconds * clip.rate + 2:
            raise InputError(
                f"a clip of {clip.valid / clip.rate:.3f} s was not divided into windows of {self.seconds} s",
                expected="rows made by ser.audio.duration.expand_chunks",
                remedy="audio.duration=null, or a stage that divides clips",
            )
        return clip

    def find_windows(self, seconds: float) -> list[tuple[float, float]]:
        """Start and end of the windows of a clip of so many s.

        They cover all of it and are equally long: the last one ends with the clip and overlaps the one before by more.
        A clip shorter than a window is one window.
        """
        if seconds <= self.seconds:
            return [(0.0, seconds)]
        count = int(np.ceil((seconds - self.seconds) / self.hop - 1e-9)) + 1
        last = seconds - self.seconds
        return [(begin, begin + self.seconds) for begin in (min(index * self.hop, last) for index in range(count))]


def expand_chunks(frame: pd.DataFrame, clips: pd.DataFrame, rate: int, chunk: Chunk) -> pd.DataFrame:
    """One row for each window of each clip.

    Args:
        frame: rows of a manifest.
        clips: what :func:`ser.audio.inspect.inspect_clips` returned for them, all usable.
        rate: the rate it used, in Hz.
        chunk: how to divide.

    Returns:
        The rows of ``frame``, repeated: ``source`` is the clip's id, ``clip`` that id with the window's number
        (``03a01Fa#002``), ``start`` and ``end`` in s on the file's time axis, within what trimming left of the clip.
    """
    windows = [chunk.find_windows(samples / rate) for samples in clips["valid"]]
    counts = [len(found) for found in windows]
    rows = frame.iloc[np.repeat(np.arange(len(frame)), counts)].reset_index(drop=True)
    offsets = np.repeat(clips["offset"].to_numpy(float), counts)
    numbers = [number for count in counts for number in range(count)]
    return rows.assign(
        source=rows["clip"],
        clip=[f"{clip}#{number:03d}" for clip, number in zip(rows["clip"], numbers, strict=True)],
        start=offsets + [start for found in windows for start, _ in found],
        end=offsets + [end for found in windows for _, end in found],
    )


def check_seconds(name: str, value: float) -> None:
    """Raise InputError for a length that is none."""
    if value <= 0:
        raise InputError(f"audio.duration.{name}={value}", expected="s, above 0")
