"""One utterance from a speaker, a sentence and the doses of its cues, with everything that is true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser.dataset.planted.articulation import Articulation, articulate
from ser.dataset.planted.cues import Array, spread_doses
from ser.dataset.planted.prosody import (
    Prosody,
    Timeline,
    balance_gains,
    draw_melody,
    draw_prosody,
    lay_out,
)
from ser.dataset.planted.source import LOCAL_PER_SD, RD_HIGH, RD_LOW, Cycles, mark_cycles, sound_source
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


def synthesise(
    speaker: Speaker, sentence: Sentence, doses: Mapping[str, ArrayLike] | None = None, *, key: Sequence[int] = (0,)
) -> Utterance:
    """Speak a sentence.

    Calls with the same key and different doses are matched pairs: what a dose does not touch stays the same, sample for
    sample up to the level of rounding; rate and pause doses shift time, which ``timeline`` undoes.

    Args:
        speaker: who speaks.
        sentence: what is said.
        doses: of cues (see ``cues.CUES``), a number or one for each syllable; a cue left out is neutral.
        key: the seed, and where one seed serves many utterances, further numbers (all at least 0).

    Raises:
        InputError: an unknown cue, or a dose that is out of range or of the wrong shape.
    """
    spread = spread_doses(doses or {}, len(sentence.syllables))
    prosody = draw_prosody(sentence, key)
    timeline = lay_out(sentence, prosody, speaker, spread)
    samples = round(timeline.duration * RATE)
    times = np.arange(count_frames(samples)) * (HOP / RATE)
    mouth = articulate(sentence, timeline, speaker, spread, times)
    place = np.clip(np.searchsorted(timeline.start, times, side="right") - 1, 0, len(sentence.syllables) - 1)
    voiced = _mark_voiced(mouth, times)
    f0, rd = _intone(prosody, timeline, speaker, spread, times, place, voiced)

    source, cycles = _voice(mouth, speaker, spread, f0, rd, place, samples, key)
    voice = filter_frames(source, respond(mouth, speaker))
    levels = LEVEL_NEUTRAL + spread["loudness"] + balance_gains(prosody, timeline, spread)
    gain = _equalise(voice, timeline, levels)
    wave = voice * gain + _hiss(mouth, speaker, levels, samples, key)

    frames = Frames(times, np.where(voiced, f0, np.nan), rd, 20 * np.log10(gain[np.minimum(np.arange(len(times)) * HOP, samples - 1)]))
    truth = _measure(wave, speaker, sentence, spread, prosody, timeline, frames, cycles, levels, mouth)
    return Utterance(wave.astype(np.float32), spread, truth, timeline, frames, cycles)


def _mark_voiced(mouth: Articulation, times: Array) -> NDArray[np.bool_]:
    voiced = np.zeros(len(times), bool)
    for start, end, _ in mouth.runs:
        voiced |= (times >= start) & (times < end)
    return voiced


def _intone(
    prosody: Prosody,
    timeline: Timeline,
    speaker: Speaker,
    doses: Mapping[str, Array],
    times: Array,
    place: NDArray[np.int64],
    voiced: NDArray[np.bool_],
) -> tuple[Array, Array]:
    """F0 (Hz) and Rd, ``[frames]``."""
    melody = draw_melody(prosody, timeline, times, voiced)
    semitones = melody * 2 ** doses["f0_range"][place] + doses["f0_level"][place]
    f0 = np.clip(speaker.f0 * 2 ** (semitones / 12), F0_LOW, F0_HIGH)
    # Voices grow laxer towards the end of a phrase, by little.
    drift = 0.12 * np.linspace(-1, 1, len(times))
    rd = np.clip(speaker.rd + doses["tilt"][place] + drift, RD_LOW, RD_HIGH)
    return f0, rd


def _voice(
    mouth: Articulation,
    speaker: Speaker,
    doses: Mapping[str, Array],
    f0: Array,
    rd: Array,
    place: NDArray[np.int64],
    samples: int,
    key: Sequence[int],
) -> tuple[NDArray[np.float32], Cycles]:
    """The signal at the glottis, ``[samples]``, and its cycles."""
    at = np.arange(samples) / HOP
    seconds = np.arange(samples) / RATE

    def to_samples(track: Array) -> Array:
        return np.interp(at, np.arange(len(track)), track)

    runs = [(round(start * RATE), round(end * RATE), syllable) for start, end, syllable in mouth.runs]
    cycles, phase, amplitude = mark_cycles(
        to_samples(f0),
        to_samples(speaker.jitter * 2 ** doses["jitter"][place]),
        to_samples(speaker.shimmer * 2 ** doses["shimmer"][place]),
        runs,
        RATE,
        key,
    )
    noise = open_stream(Stream.ASPIRATION, key).standard_normal(samples, dtype=np.float32)
    breath = to_samples(10 ** ((BREATH_NEUTRAL + doses["breath"][place]) / 20))
    voicing = np.interp(seconds, *mouth.voicing)
    pulses = sound_source(phase, amplitude, to_samples(rd), breath, noise)
    puffs = np.interp(seconds, *mouth.puffs) * noise
    return (pulses * voicing + puffs).astype(np.float32), cycles


def _equalise(voice: NDArray[np.float32], timeline: Timeline, levels: Array) -> Array:
    """The gain, ``[samples]``, that gives every vowel its level in dBFS, whatever its formants and source."""
    energy = np.concatenate([[0.0], np.cumsum(voice.astype(float) ** 2)])
    first, last = np.round(timeline.vowel * RATE).astype(int), np.round(timeline.end * RATE).astype(int)
    power = (energy[last] - energy[first]) / (last - first)
    wanted = levels - 10 * np.log10(power + 1e-12)
    # Gains cross over around each syllable's start, within 20 ms.
    middle = np.concatenate([timeline.start[:1], (timeline.start[1:] + timeline.end[:-1]) / 2])
    moments = np.stack([middle - 0.01, middle + 0.01], axis=1).ravel()[1:]
    seconds = np.arange(voice.size) / RATE
    return 10 ** (np.interp(seconds, moments, np.repeat(wanted, 2)[:-1]) / 20)


def _hiss(mouth: Articulation, speaker: Speaker, levels: Array, samples: int, key: Sequence[int]) -> Array:
    """Frication and bursts, ``[samples]``; their level follows the vowel's."""
    if not mouth.noises:
        return np.zeros(samples)
    white = open_stream(Stream.FRICATION, key).standard_normal(samples, dtype=np.float32)
    envelope = np.zeros(samples)
    owner = np.full(count_frames(samples), -1)
    shapes = []
    for number, noise in enumerate(mouth.noises):
        first, last = round(noise.start * RATE), min(round(noise.end * RATE), samples)
        seconds = np.arange(first, last) / RATE
        rise = 0.03 if noise.onset.kind == "fricative" else 0.001
        fall = 0.02 if noise.onset.kind == "fricative" else 0.007
        ramp = np.minimum(np.minimum((seconds - noise.start) / rise, (noise.end - seconds) / fall), 1.0)
        envelope[first:last] = np.clip(ramp, 0, 1) * 10 ** ((levels[noise.syllable] + noise.level) / 20)
        owner[max(first // HOP - 1, 0) : last // HOP + 2] = number
        shapes.append(shape_noise(noise.onset, speaker))
    frames = np.flatnonzero(owner >= 0)
    response = np.array(shapes, np.complex64)[owner[frames]]
    return filter_frames((white * envelope).astype(np.float32), response, frames)


def _measure(
    wave: Array,
    speaker: Speaker,
    sentence: Sentence,
    doses: Mapping[str, Array],
    prosody: Prosody,
    timeline: Timeline,
    frames: Frames,
    cycles: Cycles,
    levels: Array,
    mouth: Articulation,
) -> dict[str, float]:
    """The physical value of every cue."""
    semitones = 12 * np.log2(frames.f0[~np.isnan(frames.f0)])
    vowels = np.zeros(wave.size, bool)
    for start, end in zip(timeline.vowel, timeline.end, strict=True):
        vowels[round(start * RATE) : round(end * RATE)] = True
    spoken = float((timeline.end - timeline.start).sum())
    whole = float(timeline.end[-1] - timeline.start[0])
    beside = np.diff(cycles.run) == 0
    period = cycles.period
    steady = np.array([s.vowel.formants[0] for s in sentence.syllables]) * 2 ** doses["f1"] * speaker.tract
    return {
        "f0_mean_hz": float(2 ** (semitones.mean() / 12)),
        "f0_sd_st": float(semitones.std()),
        "level_dbfs": float(10 * np.log10(np.mean(wave[vowels] ** 2))),
        "gain_sd_db": float(levels.std()),
        "rate_syl_s": len(sentence.syllables) / spoken,
        "pause_share": 1 - spoken / whole,
        "jitter_local": float(np.abs(np.diff(period))[beside].mean() / period.mean()),
        "shimmer_db": float(np.abs(np.diff(cycles.gain))[beside].mean()),
        "rd_mean": float(frames.rd[~np.isnan(frames.f0)].mean()),
        "aspiration_db": float(BREATH_NEUTRAL + doses["breath"].mean()),
        "f1_mean_hz": float(steady.mean()),
        "f1_bandwidth_hz": float(80.0 * 2 ** doses["f1_bw"].mean()),
    }
