"""From a recording to what a model gets of it: prepared as the clips that it was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ser.audio.duration import Chunk
from ser.audio.prepare import BadAudio, Preparation, Prepared, decode
from ser.backbone.extract import cut_end, cut_padding
from ser.head.fused_trunk import FusedTrunk
from ser.head.trunk import Trunk
from ser.model import TrainedModel
from ser.prediction.places import Place

#: Bytes of a decoded MP3 file, up to which it is decoded as a whole: an hour and a half at 48 kHz, one channel.
MEMORY = 2**30


class Unreadable(BadAudio):
    """A file that cannot be decoded."""


def read_inputs(model: TrainedModel, place: Place) -> list[Any]:
    """What a model gets of a place: one input, or one for each window where it was trained on windows.

    Raises:
        Unreadable: a file that cannot be decoded.
        BadAudio: nothing in it that the model could hear.
    """
    fused = isinstance(model.trunk, FusedTrunk)
    if model.trunk.reads_text:
        return [place.text or ""]
    heard = [select(model.trunk, clip) for clip in hear(place, model.preparation, model.rate)]
    return [(waveform, place.text or "") for waveform in heard] if fused else heard


def hear(place: Place, preparation: Preparation, rate: int) -> list[Prepared]:
    """The clip, or its windows, as a run with this preparation heard it.

    Args:
        place: a recording or a window of it.
        preparation: as configured for the run.
        rate: of the model, in Hz.
    """
    samples, file_rate = decode_place(place, rate)
    begin = 0.0 if place.start is None else round(place.start * file_rate) / file_rate
    chunk = preparation.duration
    if not isinstance(chunk, Chunk):
        return [preparation.process(samples, file_rate, rate, begin)]
    whole = replace(preparation, duration=None).process(samples, file_rate, rate, begin)
    windows = replace(preparation, trim=None)  # they lie within what trimming left
    heard = []
    for first, stop in find_chunks(chunk, whole, file_rate, round(begin * file_rate)):
        try:
            heard.append(windows.process(samples[first:stop], file_rate, rate, begin + first / file_rate))
        except BadAudio as reason:  # a silent window has no say
            problem = reason
    if not heard:
        raise problem
    return heard


def find_chunks(chunk: Chunk, whole: Prepared, file_rate: int, begin: int) -> Iterator[tuple[int, int]]:
    """First sample and end of the windows of a trimmed clip, among samples that begin with number ``begin``.

    They are rounded where :func:`ser.audio.prepare.decode` rounds, so that windows are those of training.
    """
    for start, end in chunk.find_windows(whole.valid / whole.rate):
        first, stop = (round((whole.offset + edge) * file_rate) - begin for edge in (start, end))
        yield max(0, first), stop


def decode_place(place: Place, rate: int) -> tuple[np.ndarray, int]:
    """Samples [T, channels] of a place, and their rate in Hz.

    Raises:
        Unreadable: a file that is missing, empty or cannot be decoded.
    """
    if place.samples is not None:
        return cut(place.samples[:, None], rate, place), rate
    try:
        if place.start is not None and is_small_mp3(place.file):
            samples, rate = decode_once(place.file, Path(place.file).stat().st_mtime_ns)
            return cut(samples, rate, place), rate
        return decode(place.file, place.start, place.end)
    except BadAudio as reason:
        raise Unreadable(str(reason)) from reason


def cut(samples: np.ndarray, rate: int, place: Place) -> np.ndarray:
    """Samples [T, channels] of a place within a whole recording."""
    first, stop = (None if edge is None else round(edge * rate) for edge in (place.start, place.end))
    if not len(samples[first:stop]):
        raise Unreadable("empty")
    return samples[first:stop]


def is_small_mp3(file: str) -> bool:
    """Whether a file is better decoded as a whole: libmpg123 prints errors that are none wherever it begins anew."""
    if Path(file).suffix.lower() != ".mp3":
        return False
    try:
        about = soundfile.info(file)
    except (soundfile.SoundFileError, OSError):
        return False
    return 4 * about.frames * about.channels < MEMORY


@lru_cache(maxsize=1)
def decode_once(file: str, changed: int) -> tuple[np.ndarray, int]:  # noqa: ARG001 - part of what is remembered
    """All samples of a file and their rate; the last file's are kept, for its windows come one after the other."""
    return decode(file)


def select(trunk: Trunk, clip: Prepared) -> np.ndarray:
    """What of a prepared clip a backbone hears: padding counts as silence in front of a network alone."""
    hears = trunk.branches.audio if isinstance(trunk, FusedTrunk) else trunk
    return cut_end(clip) if hears.backbone.frames else cut_padding(clip)
