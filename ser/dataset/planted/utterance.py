"""One utterance from a speaker, a sentence and the doses of its cues, with everything that is true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser.dataset.planted.articulation import BANDWIDTHS, Articulation, Noise, articulate
from ser.dataset.planted.cues import Array, spread_doses
from ser.dataset.planted.prosody import Prosody, Timeline, balance_gains, draw_melody, draw_prosody, lay_out
from ser.dataset.planted.source import RD_HIGH, RD_LOW, Cycles, mark_cycles, sound_source
from ser.dataset.planted.speaker import Speaker
from ser.dataset.planted.streams import Stream, open_stream
from ser.dataset.planted.text import Sentence
from ser.dataset.planted.tract import HOP, RATE, count_frames, filter_frames, respond, shape_noise

LEVEL_NEUTRAL = -26.0  # dBFS, RMS over the vowels
BREATH_NEUTRAL = -28.0  # dB of aspiration relative to the pulses, at the source
F0_LOW, F0_HIGH = 50.0, 600.0  # Hz


@dataclass(frozen=True)
class Frames:
    """What is true every 5 ms, each ``[frames]``: time (s), F0 (Hz, NaN where unvoiced), Rd, gain (dB on the voice)."""

    time: Array
    f0: Array
    rd: Array
    gain: Array


@dataclass(frozen=True)
class Utterance:
    """A waveform and its truth.

    Args:
        wave: 16 kHz mono, ``[samples]``.
        doses: of every cue, ``[syllables]`` each.
        truth: the physical value of every cue over the utterance; the unit ends the name.
        timeline: syllables and words (s): the warp between two utterances that differ in rate or pause.
        frames: F0, Rd and gain every 5 ms.
        cycles: every glottal cycle.
    """

    wave: NDArray[np.float32]
    doses: dict[str, Array]
    truth: dict[str, float]
    timeline: Timeline
    frames: Frames
    cycles: Cycles
    rate: int = RATE


@dataclass(frozen=True)
class _Task:
    """What is to be said, how and when: the doses ``[syllables]``, frame times (s) and the syllable of each frame."""

    speaker: Speaker
    sentence: Sentence
    doses: dict[str, Array]
    key: tuple[int, ...]
    prosody: Prosody
    timeline: Timeline
    samples: int
    times: Array
    place: NDArray[np.int64]


def synthesise(
    speaker: Speaker, sentence: Sentence, doses: Mapping[str, ArrayLike] | None = None, *, key: Sequence[int] = (0,)
) -> Utterance:
    """Speak a sentence.

    Calls with the same key and different doses are matched pairs: what a dose does not touch stays the same, sample for
    sample up to rounding; rate and pause doses shift time, which ``timeline`` undoes.

    Args:
        speaker: who speaks.
        sentence: what is said.
        doses: of cues (see ``cues.CUES``), a number or one for each syllable; a cue left out is neutral.
        key: the seed, and where one seed serves many utterances, further numbers (all at least 0).

    Raises:
        InputError: an unknown cue, or a dose that is out of range or of the wrong shape.
    """
    task = _prepare(speaker, sentence, doses or {}, tuple(key))
    mouth = articulate(sentence, task.timeline, speaker, task.doses, task.times)
    voiced = _mark_voiced(mouth, task.times)
    f0, rd = _intone(task, voiced)
    source, cycles = _voice(task, mouth, f0, rd)
    voice = filter_frames(source, respond(mouth, speaker))
    levels = LEVEL_NEUTRAL + task.doses["loudness"] + balance_gains(task.prosody, task.timeline, task.doses)
    gain = _equalise(voice, task.timeline, levels)
    wave = (voice * gain + _hiss(task, mouth, levels)).astype(np.float32)
    gain_there = gain[np.minimum(np.arange(len(task.times)) * HOP, task.samples - 1)]
    frames = Frames(task.times, np.where(voiced, f0, np.nan), rd, 20 * np.log10(gain_there))
    truth = _tell_truth(task, wave, frames, cycles, levels)
    return Utterance(wave, task.doses, truth, task.timeline, frames, cycles)


def _prepare(speaker: Speaker, sentence: Sentence, doses: Mapping[str, ArrayLike], key: tuple[int, ...]) -> _Task:
    spread = spread_doses(doses, len(sentence.syllables))
    prosody = draw_prosody(sentence, key)
    timeline = lay_out(sentence, prosody, speaker, spread)
    samples = round(timeline.duration * RATE)
    times = np.arange(count_frames(samples), dtype=np.float64) * HOP / RATE
    place = np.clip(np.searchsorted(timeline.start, times, side="right") - 1, 0, len(sentence.syllables) - 1)
    return _Task(speaker, sentence, spread, key, prosody, timeline, samples, times, place)


def _mark_voiced(mouth: Articulation, times: Array) -> NDArray[np.bool_]:
    voiced = np.zeros(len(times), bool)
    for start, end, _ in mouth.runs:
        voiced |= (times >= start) & (times < end)
    return voiced


def _intone(task: _Task, voiced: NDArray[np.bool_]) -> tuple[Array, Array]:
    """F0 (Hz) and Rd, ``[frames]``."""
    melody = draw_melody(task.prosody, task.timeline, task.times, voiced)
    semitones = melody * 2 ** task.doses["f0_range"][task.place] + task.doses["f0_level"][task.place]
    f0 = np.clip(task.speaker.f0 * 2 ** (semitones / 12), F0_LOW, F0_HIGH)
    # Voices grow laxer towards the end of a phrase, by little.
    drift = 0.12 * np.linspace(-1, 1, len(task.times))
    return f0, np.clip(task.speaker.rd + task.doses["tilt"][task.place] + drift, RD_LOW, RD_HIGH)


def _voice(task: _Task, mouth: Articulation, f0: Array, rd: Array) -> tuple[NDArray[np.float32], Cycles]:
    """The signal at the glottis, ``[samples]``, and its cycles."""
    seconds = np.arange(task.samples) / RATE
    doses, place = task.doses, task.place

    def refine(track: Array) -> Array:
        return np.interp(seconds, task.times, track)

    cycles, phase, amplitude = mark_cycles(
        refine(f0),
        refine(task.speaker.jitter * 2 ** doses["jitter"][place]),
        refine(task.speaker.shimmer * 2 ** doses["shimmer"][place]),
        [(round(start * RATE), round(end * RATE), syllable) for start, end, syllable in mouth.runs],
        RATE,
        task.key,
    )
    noise = open_stream(Stream.ASPIRATION, task.key).standard_normal(task.samples, dtype=np.float32)
    breath = refine(10 ** ((BREATH_NEUTRAL + doses["breath"][place]) / 20))
    pulses = sound_source(phase, amplitude, refine(rd), breath, noise)
    voicing, puffs = np.interp(seconds, *mouth.voicing), np.interp(seconds, *mouth.puffs)
    return (pulses * voicing + puffs * noise).astype(np.float32), cycles


def _equalise(voice: NDArray[np.float32], timeline: Timeline, levels: Array) -> Array:
    """The gain, ``[samples]``, that gives every vowel its level in dBFS, whatever its formants and source."""
    energy = np.concatenate([[0.0], np.cumsum(voice.astype(np.float64) ** 2)])
    first, last = np.round(timeline.vowel * RATE).astype(int), np.round(timeline.end * RATE).astype(int)
    power = (energy[last] - energy[first]) / (last - first)
    wanted = levels - 10 * np.log10(power + 1e-12)
    # Gains cross over around each syllable's start, within 20 ms.
    middle = np.concatenate([timeline.start[:1], (timeline.start[1:] + timeline.end[:-1]) / 2])
    moments = np.stack([middle - 0.01, middle + 0.01], axis=1).ravel()[1:]
    seconds = np.arange(voice.size) / RATE
    return np.asarray(10 ** (np.interp(seconds, moments, np.repeat(wanted, 2)[:-1]) / 20))


def _hiss(task: _Task, mouth: Articulation, levels: Array) -> NDArray[np.float32]:
    """Frication and bursts, ``[samples]``; their level follows the vowel's."""
    if not mouth.noises:
        return np.zeros(task.samples, np.float32)
    white = open_stream(Stream.FRICATION, task.key).standard_normal(task.samples, dtype=np.float32)
    envelope = np.zeros(task.samples, np.float32)
    owner = np.full(count_frames(task.samples), -1)
    for number, noise in enumerate(mouth.noises):
        first, last = round(noise.start * RATE), min(round(noise.end * RATE), task.samples)
        envelope[first:last] = _swell(noise, first, last) * 10 ** ((levels[noise.syllable] + noise.level) / 20)
        owner[max(first // HOP - 1, 0) : last // HOP + 2] = number
    frames = np.flatnonzero(owner >= 0)
    shapes = np.array([shape_noise(noise.onset, task.speaker) for noise in mouth.noises], np.complex64)
    return filter_frames(white * envelope, shapes[owner[frames]], frames)


def _swell(noise: Noise, first: int, last: int) -> Array:
    """The envelope of a noise, 0-1: fricatives swell, bursts are sudden."""
    rise, fall = (0.03, 0.02) if noise.onset.kind == "fricative" else (0.001, 0.007)
    seconds = np.arange(first, last) / RATE
    ramp = np.minimum((seconds - noise.start) / rise, (noise.end - seconds) / fall)
    return np.clip(ramp, 0.0, 1.0)


def _tell_truth(
    task: _Task, wave: NDArray[np.float32], frames: Frames, cycles: Cycles, levels: Array
) -> dict[str, float]:
    """The physical value of every cue; jitter without the changes of period that the melody brings."""
    timeline, doses = task.timeline, task.doses
    voiced = ~np.isnan(frames.f0)
    semitones = 12 * np.log2(frames.f0[voiced])
    vowels = np.zeros(wave.size, bool)
    for start, end in zip(timeline.vowel, timeline.end, strict=True):
        vowels[round(start * RATE) : round(end * RATE)] = True
    spoken = float((timeline.end - timeline.start).sum())
    whole = float(timeline.end[-1] - timeline.start[0])
    beside = np.diff(cycles.run) == 0
    first_formants = np.array([syllable.vowel.formants[0] for syllable in task.sentence.syllables])
    return {
        "f0_mean_hz": float(2 ** (semitones.mean() / 12)),
        "f0_sd_st": float(semitones.std()),
        "level_dbfs": float(10 * np.log10(np.mean(wave[vowels] ** 2))),
        "gain_sd_db": float(levels.std()),
        "rate_syl_s": len(task.sentence.syllables) / spoken,
        "pause_share": 1 - spoken / whole,
        "jitter_local": float(np.abs(np.diff(cycles.jitter))[beside].mean()),
        "shimmer_db": float(np.abs(np.diff(cycles.gain))[beside].mean()),
        "rd_mean": float(frames.rd[voiced].mean()),
        "aspiration_db": float(BREATH_NEUTRAL + doses["breath"].mean()),
        "f1_mean_hz": float((first_formants * 2 ** doses["f1"]).mean() * task.speaker.tract),
        "f1_bandwidth_hz": float(BANDWIDTHS[0] * 2 ** doses["f1_bw"].mean()),
    }
