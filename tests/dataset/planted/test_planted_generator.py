"""The generator: determinism, matched pairs, and every dose heard by a meter of our own."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import spearmanr

from ser.dataset.planted.articulation import articulate
from ser.dataset.planted.cues import CUE_NAMES, CUES, spread_doses
from ser.dataset.planted.prosody import draw_prosody, lay_out
from ser.dataset.planted.source import RD_HIGH, RD_LOW, shape_pulse
from ser.dataset.planted.speaker import draw_speaker
from ser.dataset.planted.text import ONSETS, VOWELS, Sentence, Syllable, compose_sentence
from ser.dataset.planted.utterance import LEVEL_NEUTRAL, Utterance, synthesise
from ser.errors import InputError

RATE = 16000
WOMAN, MAN = draw_speaker("w", "female", (0, 0)), draw_speaker("m", "male", (0, 1))
SENTENCE = compose_sentence("t", (0, 3))


def vowel_samples(utterance: Utterance) -> np.ndarray:
    inside = np.zeros(utterance.wave.size, bool)
    for start, end in zip(utterance.timeline.vowel, utterance.timeline.end, strict=True):
        inside[round((start + 0.04) * RATE) : round((end - 0.03) * RATE)] = True
    return inside


def frame_vowels(utterance: Utterance, size: int) -> np.ndarray:
    centres = (((utterance.timeline.vowel + utterance.timeline.end) / 2) * RATE).astype(int)
    return np.stack([utterance.wave[at - size // 2 : at + size // 2] for at in centres]).astype(float)


def autocorrelate(frames: np.ndarray) -> np.ndarray:
    frames = frames * np.hanning(frames.shape[1])
    size = frames.shape[1]
    power = np.abs(np.fft.rfft(frames, 2 * size, axis=1)) ** 2
    window = np.abs(np.fft.rfft(np.hanning(size), 2 * size)) ** 2
    lags = np.fft.irfft(power, axis=1)[:, :size] / np.maximum(np.fft.irfft(window)[:size], 1e-3)
    return lags / lags[:, :1]


def find_period(utterance: Utterance) -> tuple[np.ndarray, np.ndarray]:
    """Lag (samples) and height of the best autocorrelation peak in each vowel; doubled periods cost a little."""
    lags = np.arange(RATE // 500, RATE // 60)
    correlation = autocorrelate(frame_vowels(utterance, 800))[:, lags]
    best = (correlation - 0.05 * np.log2(lags)).argmax(axis=1)
    return lags[best], correlation[np.arange(len(best)), best]


def f0_st(utterance: Utterance) -> np.ndarray:
    return 12 * np.log2(RATE / find_period(utterance)[0])


def harmonicity(utterance: Utterance) -> float:
    return float(find_period(utterance)[1].mean())


def level_db(utterance: Utterance) -> float:
    return float(10 * np.log10(np.mean(utterance.wave[vowel_samples(utterance)] ** 2)))


def alpha_ratio(utterance: Utterance) -> float:
    power = (np.abs(np.fft.rfft(frame_vowels(utterance, 1024) * np.hanning(1024), axis=1)) ** 2).sum(axis=0)
    hertz = np.fft.rfftfreq(1024, 1 / RATE)
    return float(
        10 * np.log10(power[(hertz >= 1000) & (hertz < 5000)].sum() / power[(hertz >= 50) & (hertz < 1000)].sum())
    )


def syllable_levels(utterance: Utterance) -> np.ndarray:
    return 10 * np.log10(np.mean(frame_vowels(utterance, 960) ** 2, axis=1))


def silence_share(utterance: Utterance) -> float:
    frames = utterance.wave[: utterance.wave.size // 160 * 160].reshape(-1, 160)
    return float(np.mean(np.sqrt(np.mean(frames**2, axis=1)) < 1e-3))


def first_formant(utterance: Utterance) -> tuple[float, float]:
    """F1 and its bandwidth (Hz) by linear prediction of order 18, covariance method."""
    wave = lfilter([1, -0.96], [1], frame_vowels(utterance, 640), axis=1)
    found = []
    for frame in wave:
        rows = np.stack([frame[18 - k : frame.size - k] for k in range(1, 19)], axis=1)
        solution = np.linalg.lstsq(rows, frame[18:], rcond=None)[0]
        roots = np.roots(np.concatenate([[1.0], -solution]))
        hertz, width = np.angle(roots) * RATE / 2 / np.pi, -np.log(np.abs(roots)) * RATE / np.pi
        good = (hertz > 480) & (hertz < 1050) & (width < 600)
        if good.any():
            best = np.flatnonzero(good)[np.argmin(width[good])]
            found.append((hertz[best], width[best]))
    return tuple(np.median(found, axis=0))


METERS = {
    "f0_level": lambda u: np.median(f0_st(u)),
    "f0_range": lambda u: np.std(f0_st(u)),
    "loudness": level_db,
    "loud_var": lambda u: np.std(syllable_levels(u)),
    "rate": lambda u: -u.wave.size,
    "pause": silence_share,
    "jitter": lambda u: -harmonicity(u),
    "shimmer": lambda u: -harmonicity(u),
    "tilt": lambda u: -alpha_ratio(u),
    "breath": lambda u: -harmonicity(u),
}


@pytest.mark.parametrize("cue", METERS)
@pytest.mark.parametrize("speaker", [WOMAN, MAN], ids=["woman", "man"])
def test_meter_follows_dose(cue, speaker):
    low, high = next((c.low, c.high) for c in CUES if c.name == cue)
    doses = np.linspace(max(low, -6), min(high, 6) if cue == "f0_level" else high, 5)
    measured = [METERS[cue](synthesise(speaker, SENTENCE, {cue: dose}, key=(1, 2))) for dose in doses]
    assert spearmanr(doses, measured)[0] >= 0.9


def test_first_formant_and_its_bandwidth_follow_their_doses():
    # Low vowels of a man: F1 lies far above F0, so linear prediction can tell them apart.
    low = [vowel for vowel in VOWELS if vowel.letter in "aä"]
    sentence = Sentence("low", tuple(Syllable(ONSETS["stop"][k % 3], low[k % 2]) for k in range(6)))
    for cue, place, doses in (("f1", 0, (-0.2, 0.0, 0.2)), ("f1_bw", 1, (-1.0, 0.5, 2.0))):
        measured = [first_formant(synthesise(MAN, sentence, {cue: dose}))[place] for dose in doses]
        assert measured[0] < measured[1] < measured[2], cue


def test_physical_values_are_as_planted():
    neutral = synthesise(MAN, SENTENCE)
    assert neutral.truth["f0_mean_hz"] == pytest.approx(MAN.f0, rel=1e-3)
    assert np.median(f0_st(neutral)) == pytest.approx(12 * np.log2(MAN.f0), abs=1.0)
    assert level_db(neutral) == pytest.approx(LEVEL_NEUTRAL, abs=1.0)
    assert neutral.truth["pause_share"] == pytest.approx(0.06)
    assert neutral.truth["rate_syl_s"] == pytest.approx(4.5 * MAN.rate)
    assert neutral.truth["jitter_local"] == pytest.approx(MAN.jitter, rel=0.25)
    higher = synthesise(MAN, SENTENCE, {"f0_level": 3.0, "f0_range": 1.0})
    assert higher.truth["f0_mean_hz"] == pytest.approx(MAN.f0 * 2 ** (3 / 12), rel=1e-3)
    assert higher.truth["f0_sd_st"] == pytest.approx(2 * neutral.truth["f0_sd_st"], rel=1e-6)


@pytest.mark.parametrize("cue", [name for name in CUE_NAMES if name not in ("loudness", "rate", "pause")])
def test_loudness_alone_moves_the_level(cue):
    cue_range = next(c for c in CUES if c.name == cue)
    levels = [
        synthesise(WOMAN, SENTENCE, {cue: dose}).truth["level_dbfs"] for dose in (cue_range.low, 0, cue_range.high)
    ]
    assert np.ptp(levels) < 0.35


@pytest.mark.parametrize("cue", [c.name for c in CUES if c.local and c.name != "rate"])
def test_local_dose_leaves_other_voiced_stretches_alone(cue):
    # "a" of the first word and of the last, apart from each other by voiceless consonants
    stops, low = ONSETS["stop"], VOWELS[3]
    sentence = Sentence("s", tuple(Syllable(stops[k % 3], low) for k in range(6)))
    dose = np.where(np.arange(6) == 2, 0.2, 0.0)
    plain, dosed = (synthesise(MAN, sentence, doses, key=(5,)) for doses in ({}, {cue: dose}))
    assert plain.wave.size == dosed.wave.size
    inside = slice(round(plain.timeline.start[2] * RATE), round(plain.timeline.end[2] * RATE))
    change = np.abs(plain.wave - dosed.wave)
    assert change[inside].max() > 1e-4
    # Filters ring on, and gains and formants cross over, for some tens of milliseconds around.
    change[inside.start - 800 : inside.stop + 1600] = 0
    assert change.max() < 1e-6


def test_rate_and_pause_warp_time_and_keep_the_rest():
    plain, slow = synthesise(MAN, SENTENCE), synthesise(MAN, SENTENCE, {"rate": -0.5, "pause": 0.2})
    lengths = [u.timeline.end - u.timeline.start for u in (plain, slow)]
    np.testing.assert_allclose(lengths[1] / lengths[0], 2**0.5)
    melodies = []
    for u in (plain, slow):
        middles = (u.timeline.vowel + u.timeline.end) / 2
        melodies.append(12 * np.log2(np.interp(middles, u.frames.time, np.nan_to_num(u.frames.f0))))
    np.testing.assert_allclose(melodies[0], melodies[1], atol=0.5)


def test_formants_move_between_consonants_and_vowels():
    sentence = Sentence("ta", (Syllable(ONSETS["stop"][1], VOWELS[3]),) * 6)
    doses = spread_doses({}, 6)
    timeline = lay_out(sentence, draw_prosody(sentence, (0,)), MAN, doses)
    times = np.arange(int(timeline.duration * 200)) / 200
    f2 = articulate(sentence, timeline, MAN, doses, times).formants[:, 1] / MAN.tract
    at_release = np.interp(timeline.vowel, times, f2)
    in_vowel = np.interp((timeline.vowel + timeline.end) / 2, times, f2)
    assert np.all(at_release > 1350) and np.all(np.abs(in_vowel - 1180) < 60)


def test_same_call_gives_same_samples_in_another_process():
    code = (
        "import hashlib\n"
        "from ser.dataset.planted.speaker import draw_speaker\n"
        "from ser.dataset.planted.text import compose_sentence\n"
        "from ser.dataset.planted.utterance import synthesise\n"
        "speaker, sentence = draw_speaker('w', 'female', (0, 0)), compose_sentence('t', (0, 3))\n"
        "u = synthesise(speaker, sentence, {'tilt': 0.3}, key=(9, 1))\n"
        "print(hashlib.sha256(u.wave.tobytes()).hexdigest())\n"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    here = synthesise(WOMAN, SENTENCE, {"tilt": 0.3}, key=(9, 1)).wave
    assert hashlib.sha256(here.tobytes()).hexdigest() == there
    assert not np.array_equal(here, synthesise(WOMAN, SENTENCE, {"tilt": 0.3}, key=(9, 2)).wave[: here.size])


def test_pulses_close_and_grow_laxer_with_rd():
    slopes = []
    for rd in np.linspace(RD_LOW, RD_HIGH, 7):
        pulse = shape_pulse(float(rd))
        assert abs(pulse.mean()) < 2e-3 * np.abs(pulse).max()
        harmonics = 20 * np.log10(np.abs(np.fft.rfft(pulse))[1:21])
        slopes.append(harmonics[0] - harmonics[9:20].mean())
    assert np.all(np.diff(slopes) > 0)


def test_sentences_have_6_to_14_syllables_and_words_of_three():
    sentences = [compose_sentence(str(k), (0, k)) for k in range(60)]
    assert {len(sentence.syllables) for sentence in sentences} == set(range(6, 15))
    assert all(len(s.text.split()) == -(-len(s.syllables) // 3) for s in sentences)


@pytest.mark.parametrize(
    ("doses", "says"),
    [
        ({"loudnes": 1.0}, "did you mean 'loudness'"),
        ({"rate": 2.0}, "out of range"),
        ({"tilt": float("nan")}, "out of range"),
        ({"pause": np.zeros(len(SENTENCE.syllables))}, "one number"),
        ({"tilt": [0.0, 0.1]}, "one for each"),
    ],
)
def test_impossible_doses_are_refused(doses, says):
    with pytest.raises(InputError, match=says):
        synthesise(MAN, SENTENCE, doses)
