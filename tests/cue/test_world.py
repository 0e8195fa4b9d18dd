import sys

import numpy as np
import pytest

from ser.cue.counterfactual import measure_responses, summarise
from ser.cue.cues import CUE_NAMES, measure_cues
from ser.cue.meters.own import NumpyMeter
from ser.cue.world import CUES, RecordedVoice
from ser.dataset.planted.speaker import draw_speaker
from ser.dataset.planted.text import compose_sentence
from ser.dataset.planted.utterance import synthesise
from ser.errors import InputError


@pytest.fixture(scope="module")
def recorded():
    spoken = synthesise(draw_speaker("s", "male", (0, 1)), compose_sentence("t", (0, 4)))
    return RecordedVoice("c", "s", "anger", spoken.wave, spoken.rate)


def measure(wave):
    return dict(zip(CUE_NAMES, measure_cues(NumpyMeter().measure(wave, 16000))[0], strict=True))


def test_without_pyworld_the_message_says_what_to_do(monkeypatch, recorded):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(InputError, match=r"ser\[world\]"):
        RecordedVoice("c", "s", "anger", recorded.waveform, 16000).say("f0_level", 1.0)


@pytest.mark.parametrize(
    ("cue", "dose", "measured", "low", "high"),
    [
        ("f0_level", 4.0, "f0_level", 3.5, 4.5),
        ("f0_range", 1.0, "f0_range", 1.0, 9.0),
        ("loudness", 6.0, "loudness", 0.02, 1.0),
        ("rate", 0.4, "rate", 0.3, 2.5),
        ("tilt", 3.0, "hammarberg", 2.0, 12.0),
        ("breath", 12.0, "hnr", -20.0, -2.0),
    ],
)
def test_a_dose_moves_its_cue_and_not_f0_beside_it(recorded, cue, dose, measured, low, high):
    pytest.importorskip("pyworld")
    changed, plain = measure(recorded.say(cue, dose)), measure(recorded.say(cue, 0.0))
    assert low < changed[measured] - plain[measured] < high
    if not cue.startswith("f0"):
        assert abs(changed["f0_level"] - plain["f0_level"]) < 0.3
    if cue != "loudness":
        assert abs(changed["loudness"] / plain["loudness"] - 1) < 0.4


def test_all_baselines_are_the_same_and_stay_near_the_recording(recorded):
    pytest.importorskip("pyworld")
    plain = [recorded.say(cue, 0.0) for cue in CUES]
    assert all(np.allclose(one, plain[0], atol=1e-3) for one in plain)
    assert abs(measure(plain[0])["f0_level"] - measure(recorded.waveform)["f0_level"]) < 0.2


def test_a_rate_dose_changes_the_length_and_keeps_f0(recorded):
    pytest.importorskip("pyworld")
    assert len(recorded.say("rate", 1.0)) == pytest.approx(len(recorded.waveform) / 2, rel=0.02)


def test_a_cue_that_world_cannot_change_is_named(recorded):
    pytest.importorskip("pyworld")
    with pytest.raises(InputError, match="cannot change the cue 'jitter'"):
        recorded.say("jitter", 1.0)


def test_recordings_are_measured_like_generated_clips(recorded):
    pytest.importorskip("pyworld")

    def score(waves):
        return np.array([10 * np.log10(np.mean(wave**2)) for wave in waves])

    clips = [recorded, RecordedVoice("d", "t", "anger", recorded.waveform[:20000], 16000)]
    found = summarise(measure_responses(clips, score, {"loudness": [-3, 3], "tilt": [2]})).set_index("cue")
    assert found.loc["loudness", "slope"] == pytest.approx(1.0, abs=0.01)
    assert abs(found.loc["tilt", "slope"]) < 0.05  # the level is kept
