"""Whether an explanation stays the same under changes that a listener ignores, as long as the prediction does.

Max-sensitivity: Yeh et al. (2019), On the (in)fidelity and sensitivity of explanations, NeurIPS. A shift in time should
shift the map: it is compared on the time axis of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from ser.explainer.attribution import Attribution
from ser.explainer.base import margin
from ser.explainer.clip import Clip
from ser.explainer.evaluation.probe import Probe
from ser.explainer.evaluation.sanity import Explain
from ser.explainer.evaluation.similarity import correlate_ranks, measure_change, overlap_tops
from ser.explainer.subject import Subject

#: dB of gain, dB of signal above noise, s of shift.
GAIN, SNR, SHIFT = 1.0, 40.0, 0.010
#: Draws of noise, over which the largest change is taken.
DRAWS = 10
#: Change of the margin up to which it counts as held: a share of it, or this much of one near zero.
HELD, HELD_LEAST = 0.1, 0.1
#: Companding of telephones (ITU-T G.711) in steps.
MU = 255


def score_robustness(
    subject: Subject, probe: Probe, before: Attribution, explain: Explain, seed: int
) -> Iterator[tuple[str, float]]:
    """Robustness scores of one map; perturbations that change prediction or margin are left out.

    ``robustness`` is the mean rank correlation over gain, noise and quantisation, ``equivariance`` that of the map of
    the shifted clip, shifted back.
    """
    own = probe.project(before)
    score = measure_margin(subject, probe.clip)
    found: dict[str, list[float]] = {}
    for kind, changed in perturb(subject, probe.clip, seed):
        held = is_held(subject, changed, score)
        found.setdefault(f"held/{kind}", []).append(float(held))
        after = explain(subject, changed) if held else None
        if after is None or not np.isfinite(after.values).all():
            continue
        values = probe.project(after)
        found.setdefault(f"robustness/{kind}", []).append(correlate_ranks(own, values))
        found.setdefault(f"top_overlap/{kind}", []).append(overlap_tops(own, values))
        if kind == "noise":
            found.setdefault("max_sensitivity", []).append(measure_change(own, values))
    largest = found.pop("max_sensitivity", [])
    means = {name: float(np.mean(values)) for name, values in found.items()}
    yield from means.items()
    for name in ("robustness", "top_overlap"):
        kept = [value for each, value in means.items() if each.startswith(f"{name}/") and not each.endswith("/shift")]
        if kept:
            yield name, float(np.mean(kept))
    if "robustness/shift" in means:
        yield "equivariance", means["robustness/shift"]
    if largest:
        yield "max_sensitivity", max(largest)


def perturb(subject: Subject, clip: Clip, seed: int) -> Iterator[tuple[str, Clip]]:
    """The clip in other words: kind of change, and what became of the clip."""
    random = np.random.default_rng(seed)
    wave = clip.waveform.astype(np.float64)
    yield "gain_up", encode(subject, clip, wave * 10 ** (GAIN / 20))
    yield "gain_down", encode(subject, clip, wave * 10 ** (-GAIN / 20))
    for _ in range(DRAWS):
        yield "noise", encode(subject, clip, add_noise(wave, SNR, random))
    size = round(SHIFT * subject.rate)
    later = np.concatenate([np.zeros(size), wave[:-size]])
    yield "shift", replace(encode(subject, clip, later), offset=clip.offset - size / subject.rate)
    yield "dither", encode(subject, clip, dither(wave, random))
    yield "mu_law", encode(subject, clip, compand(wave))


def encode(subject: Subject, clip: Clip, wave: np.ndarray) -> Clip:
    """The clip with another waveform [T]."""
    changed = wave.astype(np.float32)
    return replace(clip, waveform=changed, inputs=subject.encode(torch.from_numpy(changed)[None]))


def is_held(subject: Subject, changed: Clip, score: float) -> bool:
    """Whether prediction and margin are what they were."""
    same = subject.emotions[int(subject.score(changed.inputs)[0].argmax())] == changed.predicted
    return same and abs(measure_margin(subject, changed) - score) <= max(HELD * abs(score), HELD_LEAST)


def measure_margin(subject: Subject, clip: Clip) -> float:
    """Of the class that is explained."""
    logits = subject.score(clip.inputs)
    return float(margin(logits, clip.classes.to(logits.device)))


def add_noise(wave: np.ndarray, snr: float, random: np.random.Generator) -> np.ndarray:
    """White noise at so many dB below the clip's level."""
    level = np.sqrt(np.mean(wave**2)) * 10 ** (-snr / 20)
    return wave + level * random.standard_normal(len(wave))


def dither(wave: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Quantised to 16 bits with triangular dither of one step."""
    step = 2.0**-15
    return np.round(wave / step + random.random(len(wave)) - random.random(len(wave))) * step


def compand(wave: np.ndarray) -> np.ndarray:
    """Through 8 bits of the mu law and back."""
    clipped = wave.clip(-1, 1)
    code = np.sign(clipped) * np.log1p(MU * np.abs(clipped)) / np.log1p(MU)
    heard = np.round((code + 1) / 2 * MU) / MU * 2 - 1
    return np.sign(heard) * np.expm1(np.abs(heard) * np.log1p(MU)) / MU
